// Block decoding: values worked out by hand, every 16-bit float, and the gguf package's results (golden/blocks.safetensors).
#include "formats/blocks.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "doctest/doctest.h"
#include "formats/safetensors.h"

namespace namesake {
namespace {

constexpr BlockType kTypes[] = {BlockType::f32, BlockType::f16, BlockType::bf16, BlockType::q4_0, BlockType::q4_1, BlockType::q8_0};

std::vector<float> decode(BlockType type, const std::vector<std::uint8_t>& bytes) {
  const BlockFormat& format = block_format(type);
  const std::int64_t blocks = static_cast<std::int64_t>(bytes.size()) / format.bytes_per_block;
  std::vector<float> values(static_cast<std::size_t>(blocks * format.values_per_block));
  format.decode(reinterpret_cast<const std::byte*>(bytes.data()), blocks, values.data());
  return values;
}

std::uint32_t bits(float value) { return std::bit_cast<std::uint32_t>(value); }

}  // namespace

TEST_CASE("blocks: the table's entries stand at their own type and are found by GGUF's id") {
  for (const BlockType type : kTypes) {
    const BlockFormat& format = block_format(type);
    CHECK(format.type == type);
    CHECK(block_format_of_gguf(format.gguf_id) == &format);
    CHECK(row_bytes(type, 64) == 64 / format.values_per_block * format.bytes_per_block);
  }
  CHECK(block_format_of_gguf(12) == nullptr);  // q4_k
  CHECK(block_format_of_gguf(0xffffffffu) == nullptr);
  const std::byte* base = nullptr;
  const Matrix matrix{BlockType::q4_1, 3, 64, base};
  CHECK(matrix.row(2) - matrix.row(0) == 2 * 2 * 20);
}

TEST_CASE("blocks: f16 to f32 is exact for all 65,536 values") {
  CHECK(bits(f16_to_f32(0x0000)) == bits(0.0f));
  CHECK(bits(f16_to_f32(0x8000)) == bits(-0.0f));
  CHECK(f16_to_f32(0x0001) == 0x1p-24f);   // least subnormal
  CHECK(f16_to_f32(0x03ff) == 1023 * 0x1p-24f);
  CHECK(f16_to_f32(0x0400) == 0x1p-14f);   // least normal
  CHECK(f16_to_f32(0x3c00) == 1.0f);
  CHECK(f16_to_f32(0xc100) == -2.5f);
  CHECK(f16_to_f32(0x7bff) == 65504.0f);
  CHECK(f16_to_f32(0x7c00) == std::numeric_limits<float>::infinity());
  CHECK(f16_to_f32(0xfc00) == -std::numeric_limits<float>::infinity());
  for (std::uint32_t half = 0; half < 0x10000; ++half) {
    const float value = f16_to_f32(static_cast<std::uint16_t>(half));
    const int exponent = static_cast<int>(half >> 10 & 31), fraction = static_cast<int>(half & 1023);
    if (exponent == 31 && fraction != 0) {
      REQUIRE(std::isnan(value));
      continue;
    }
    if (exponent == 31) continue;
    const double magnitude = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
    REQUIRE(static_cast<double>(value) == ((half & 0x8000) != 0 ? -magnitude : magnitude));
  }
}

TEST_CASE("blocks: bf16 rounds to nearest even and keeps what it can hold") {
  CHECK(f32_to_bf16(1.0f) == 0x3f80);
  CHECK(f32_to_bf16(std::bit_cast<float>(0x3f808000u)) == 0x3f80);  // half-way, even below
  CHECK(f32_to_bf16(std::bit_cast<float>(0x3f818000u)) == 0x3f82);  // half-way, even above
  CHECK(f32_to_bf16(std::bit_cast<float>(0x3f808001u)) == 0x3f81);
  CHECK(f32_to_bf16(std::numeric_limits<float>::max()) == 0x7f80);  // rounds to infinity
  CHECK(f32_to_bf16(std::numeric_limits<float>::infinity()) == 0x7f80);
  CHECK(f32_to_bf16(-0.0f) == 0x8000);
  // A NaN whose payload lies in the low half must not become infinity.
  CHECK(std::isnan(bf16_to_f32(f32_to_bf16(std::bit_cast<float>(0x7f800001u)))));
  CHECK(std::isnan(bf16_to_f32(f32_to_bf16(std::bit_cast<float>(0xffffffffu)))));
  for (std::uint32_t half = 0; half < 0x10000; ++half) {
    const float value = bf16_to_f32(static_cast<std::uint16_t>(half));
    if (!std::isnan(value)) REQUIRE(f32_to_bf16(value) == half);
  }
}

TEST_CASE("blocks: q4_0, q4_1 and q8_0 by hand") {
  // d = 0.5; byte j holds value j low and value j + 16 high.
  std::vector<std::uint8_t> q4_0 = {0x00, 0x38};
  for (int j = 0; j < 16; ++j) q4_0.push_back(static_cast<std::uint8_t>(j | (15 - j) << 4));
  const std::vector<float> a = decode(BlockType::q4_0, q4_0);
  for (int j = 0; j < 16; ++j) {
    CHECK(a[static_cast<std::size_t>(j)] == 0.5f * static_cast<float>(j - 8));
    CHECK(a[static_cast<std::size_t>(j + 16)] == 0.5f * static_cast<float>(7 - j));
  }
  // d = 0.25, m = -1.
  std::vector<std::uint8_t> q4_1 = {0x00, 0x34, 0x00, 0xbc};
  q4_1.insert(q4_1.end(), q4_0.begin() + 2, q4_0.end());
  const std::vector<float> b = decode(BlockType::q4_1, q4_1);
  for (int j = 0; j < 16; ++j) {
    CHECK(b[static_cast<std::size_t>(j)] == 0.25f * static_cast<float>(j) - 1);
    CHECK(b[static_cast<std::size_t>(j + 16)] == 0.25f * static_cast<float>(15 - j) - 1);
  }
  // d = -2, bytes -16, -15, …; two blocks, to see that the second begins where the first ends.
  std::vector<std::uint8_t> q8_0;
  for (int block = 0; block < 2; ++block) {
    q8_0.insert(q8_0.end(), {0x00, 0xc0});
    for (int j = 0; j < 32; ++j) q8_0.push_back(static_cast<std::uint8_t>(j - 16 + block));
  }
  const std::vector<float> c = decode(BlockType::q8_0, q8_0);
  for (int j = 0; j < 32; ++j) {
    CHECK(c[static_cast<std::size_t>(j)] == -2.0f * static_cast<float>(j - 16));
    CHECK(c[static_cast<std::size_t>(j + 32)] == -2.0f * static_cast<float>(j - 15));
  }
}

TEST_CASE("blocks: f32 is copied, NaN payloads and all") {
  const std::vector<std::uint8_t> stored = {0x01, 0x00, 0x80, 0x7f, 0x00, 0x00, 0x80, 0x3f};
  const std::vector<float> values = decode(BlockType::f32, stored);
  CHECK(bits(values[0]) == 0x7f800001u);
  CHECK(values[1] == 1.0f);
}

TEST_CASE("blocks: equal to the gguf package, bit for bit") {
  const Result<SafetensorsFile> golden = read_safetensors(NAMESAKE_FIXTURES "/golden/blocks.safetensors");
  REQUIRE_MESSAGE(golden.ok(), golden.status().message);
  for (const BlockType type : {BlockType::f16, BlockType::bf16, BlockType::q4_0, BlockType::q4_1, BlockType::q8_0}) {
    const std::string name = block_format(type).name;
    CAPTURE(name);
    REQUIRE(golden.value().tensors.contains(name + ".bytes"));
    REQUIRE(golden.value().tensors.contains(name + ".values"));
    const std::vector<float>& stored = golden.value().tensors.at(name + ".bytes").data;
    const std::vector<float>& expected = golden.value().tensors.at(name + ".values").data;
    const std::vector<std::uint8_t> bytes(stored.begin(), stored.end());
    const std::vector<float> values = decode(type, bytes);
    REQUIRE(values.size() == expected.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (std::isnan(expected[i])) {
        REQUIRE(std::isnan(values[i]));
      } else {
        REQUIRE(bits(values[i]) == bits(expected[i]));
      }
    }
  }
}

}  // namespace namesake
