// nf4: every code, scale and decoded value is that of bitsandbytes on a CPU (golden/nf4.safetensors), bit for bit.
#include "formats/nf4.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "doctest/doctest.h"
#include "formats/safetensors.h"

namespace namesake {
namespace {

constexpr const char* kMatrices[] = {"normal", "spread", "outliers", "bf16", "nested", "one_block", "edges"};

const SafetensorsFile& golden() {
  static const SafetensorsFile file = [] {
    Result<SafetensorsFile> read = read_safetensors(NAMESAKE_FIXTURES "/golden/nf4.safetensors");
    REQUIRE_MESSAGE(read.ok(), read.status().message);
    return read.take();
  }();
  return file;
}

const TensorRead& golden(const std::string& key) { return golden().tensors.at(key); }

std::vector<std::uint8_t> bytes_of(const std::string& key) {
  const std::vector<float>& values = golden(key).data;
  return std::vector<std::uint8_t>(values.begin(), values.end());
}

bool same_bits(const float* actual, const std::vector<float>& expected) {
  return std::memcmp(actual, expected.data(), expected.size() * sizeof(float)) == 0;
}

Nf4Matrix quantized(const std::vector<float>& values, std::int64_t cols, int threads) {
  Nf4Matrix matrix;
  const Nf4Shape shape{static_cast<std::int64_t>(values.size()) / cols, cols};
  const auto source = [&](std::int64_t r, float* out) {
    std::memcpy(out, values.data() + r * cols, static_cast<std::size_t>(cols) * sizeof(float));
  };
  REQUIRE(quantize_nf4(shape, source, threads, matrix));
  return matrix;
}

std::vector<float> decoded(const Nf4Shape& shape, const std::vector<std::uint8_t>& codes, const Nf4Scales& scales) {
  const Matrix matrix{BlockType::nf4, shape.rows, shape.cols, reinterpret_cast<const std::byte*>(codes.data()), &scales};
  std::vector<float> values(static_cast<std::size_t>(shape.rows * shape.cols));
  for (std::int64_t r = 0; r < shape.rows; ++r) decode_row(matrix, r, values.data() + r * shape.cols);
  return values;
}

}  // namespace

TEST_CASE("nf4: the map of absmax codes is bitsandbytes' own") { CHECK(same_bits(nf4_absmax_values(), golden("map").data)); }

TEST_CASE("nf4: codes, scales and values are those of bitsandbytes") {
  for (const std::string name : kMatrices) {
    CAPTURE(name);
    const TensorRead& values = golden(name + ".values");
    const Nf4Shape shape{values.shape[0], values.shape[1]};
    const Nf4Matrix own = quantized(values.data, shape.cols, 2);
    CHECK(own.codes == bytes_of(name + ".codes"));

    // Torch's mean is a sum in f32 in the order of its vectors, ours in f64: measured 7.2e-8 apart, an ulp.
    const float offset = golden(name + ".offset").data[0];
    CHECK(std::fabs(own.offset - offset) <= std::fabs(offset) * 2.4e-7f);

    // With bitsandbytes' own mean everything after it has the same bits.
    const std::vector<float>& absmax = golden(name + ".block_absmax").data;
    std::vector<std::uint8_t> codes(absmax.size());
    std::vector<float> nested(static_cast<std::size_t>(shape.nested()));
    quantize_nf4_absmax(absmax.data(), shape.blocks(), offset, codes.data(), nested.data());
    CHECK(codes == bytes_of(name + ".absmax"));
    CHECK(same_bits(nested.data(), golden(name + ".nested").data));
    CHECK(same_bits(decoded(shape, own.codes, {codes.data(), nested.data(), offset}).data(), golden(name + ".decoded").data));

    // With our own mean the codes of scales are the same, too, and values differ as the means do.
    CHECK(own.absmax == codes);
    const TensorRead& expected = golden(name + ".decoded");
    const std::vector<float> back = decoded(shape, own.codes, {own.absmax.data(), own.nested.data(), own.offset});
    double error = 0, norm = 0;
    for (std::size_t i = 0; i < back.size(); ++i) {
      error += std::pow(static_cast<double>(back[i]) - static_cast<double>(expected.data[i]), 2);
      norm += std::pow(static_cast<double>(expected.data[i]), 2);
    }
    CHECK(error <= norm * 1e-6 * 1e-6);  // measured 9.7e-8
  }
}

TEST_CASE("nf4: the number of threads changes nothing, and decoding knows the matrix's own scales") {
  const TensorRead& values = golden("nested.values");
  const Nf4Matrix one = quantized(values.data, 64, 1), three = quantized(values.data, 64, 3);
  CHECK(one.codes == three.codes);
  CHECK(one.absmax == three.absmax);
  CHECK(one.nested == three.nested);
  CHECK(one.offset == three.offset);
  const std::vector<float> back = decoded(one.shape, one.codes, {one.absmax.data(), one.nested.data(), one.offset});
  double error = 0, norm = 0;
  for (std::size_t i = 0; i < back.size(); ++i) {
    error += std::pow(static_cast<double>(back[i]) - static_cast<double>(values.data[i]), 2);
    norm += std::pow(static_cast<double>(values.data[i]), 2);
  }
  CHECK(std::sqrt(error / norm) < 0.1);  // measured 0.093: four bits
}

TEST_CASE("nf4: absmax codes are the nearest of a grid of 65,536 steps, as bitsandbytes' CPU code looks them up") {
  // One of each 256 is 1, so that the others are not scaled.
  const std::vector<std::uint8_t> expected = bytes_of("grid");
  std::vector<float> absmax(256, 1.0f);
  std::vector<std::uint8_t> codes(256);
  bool same = true;
  for (std::size_t first = 0; first < expected.size(); first += 128) {
    for (std::size_t i = 0; i < 128; ++i) absmax[i] = static_cast<float>(first + i) * 2.0f / 65535.0f - 1.0f;
    float nested = 0;
    quantize_nf4_absmax(absmax.data(), 256, 0, codes.data(), &nested);
    same = same && nested == 1 && std::equal(expected.begin() + static_cast<std::ptrdiff_t>(first),
                                             expected.begin() + static_cast<std::ptrdiff_t>(first + 128), codes.begin());
  }
  CHECK(same);
}

TEST_CASE("nf4: a value on a bound takes the lower code, the next float above it the higher") {
  for (int code = 0; code < 15; ++code) {
    CAPTURE(code);
    // The bound is the middle of two values, rounded to f32. Above codes 0, 8, 12 and 14 it lies exactly between two floats; CPU
    // code rounds to the even one, the constants of the GPU code to the other, so that the float between them differs there.
    const float bound = static_cast<float>((static_cast<double>(nf4_values()[code]) + static_cast<double>(nf4_values()[code + 1])) / 2);
    std::vector<float> x(64, 1.0f);
    std::uint8_t codes[32];
    x[0] = bound;
    x[1] = std::nextafter(bound, 2.0f);
    CHECK(quantize_nf4_block(x.data(), codes) == 1.0f);
    CHECK(codes[0] == (code << 4 | (code + 1)));
  }
}

TEST_CASE("nf4: blocks of zeros, of the smallest and of infinite values") {
  std::vector<float> x(64, 0.0f);
  std::uint8_t codes[32];
  CHECK(quantize_nf4_block(x.data(), codes) == 0.0f);
  CHECK(codes[0] == 0x77);
  CHECK(codes[31] == 0x77);
  x[1] = std::numeric_limits<float>::denorm_min();
  CHECK(quantize_nf4_block(x.data(), codes) == x[1]);
  x[1] = -std::numeric_limits<float>::infinity();
  CHECK(!std::isfinite(quantize_nf4_block(x.data(), codes)));
  for (const std::size_t at : {std::size_t{0}, std::size_t{63}}) {
    x.assign(64, 1.0f);
    x[at] = std::numeric_limits<float>::quiet_NaN();
    CHECK(!std::isfinite(quantize_nf4_block(x.data(), codes)));
  }
  // Scales whose largest has no finite inverse: bitsandbytes has the first code for the mean itself and what is below, the last above.
  const float least = std::numeric_limits<float>::denorm_min();
  std::vector<float> absmax(64, least);
  absmax[0] = 0;
  absmax[1] = 2 * least;
  std::vector<std::uint8_t> scales(64, 7);
  float nested = 0;
  quantize_nf4_absmax(absmax.data(), 64, nf4_mean(absmax.data(), 64), scales.data(), &nested);
  CHECK(nested == least);
  CHECK(scales[0] == 0);
  CHECK(scales[1] == 255);
  CHECK(std::all_of(scales.begin() + 2, scales.end(), [](std::uint8_t code) { return code == 0; }));
  Nf4Matrix matrix;
  const auto source = [&](std::int64_t r, float* out) {
    std::fill_n(out, 64, r == 40 ? std::numeric_limits<float>::quiet_NaN() : 1.0f);
  };
  CHECK(!quantize_nf4({41, 64}, source, 2, matrix));
  CHECK(quantize_nf4({40, 64}, source, 2, matrix));
}

}  // namespace namesake
