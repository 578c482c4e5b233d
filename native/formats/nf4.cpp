#include "formats/nf4.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <functional>
#include <system_error>
#include <thread>

#include "formats/dynamic_map.h"

namespace namesake {

namespace {

constexpr std::array<float, 16> kValues = {
    -1.0f,
    -0.6961928009986877f,
    -0.5250730514526367f,
    -0.39491748809814453f,
    -0.28444138169288635f,
    -0.18477343022823334f,
    -0.09105003625154495f,
    0.0f,
    0.07958029955625534f,
    0.16093020141124725f,
    0.24611230194568634f,
    0.33791524171829224f,
    0.44070982933044434f,
    0.5626170039176941f,
    0.7229568362236023f,
    1.0f,
};

// Greater than bound i: code i + 1 or higher. Middles in f32; four of them lie between two floats and are rounded to the even one.
constexpr std::array<float, 15> kBounds = [] {
  std::array<float, 15> bounds{};
  for (std::size_t i = 0; i < bounds.size(); ++i) bounds[i] = (kValues[i] + kValues[i + 1]) / 2.0f;
  return bounds;
}();

constexpr float kLeastAbsmax = 1e-38f;  // its inverse is finite: a block of zeros stays zeros

constexpr int kGridSteps = 65536;

/// The code of each step of the grid: how many middles of neighbouring values lie below it.
std::array<std::uint8_t, kGridSteps> make_grid() {
  const DynamicMap& map = signed_dynamic_map();
  std::array<std::uint8_t, kGridSteps> grid{};
  std::size_t code = 0;
  for (int i = 0; i < kGridSteps; ++i) {
    const float value = -1.0f + 2.0f * static_cast<float>(i) / static_cast<float>(kGridSteps - 1);
    while (map.bounds[code] < value) ++code;
    grid[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(code);
  }
  return grid;
}

/// NaN (0 of 0: among numbers so small that the inverse of the largest is infinite) has the first code, as in bitsandbytes.
std::uint8_t grid_code(float value) {
  static const std::array<std::uint8_t, kGridSteps> grid = make_grid();
  if (!(value > -1.0f)) return grid[0];
  const float clamped = std::min(value, 1.0f);
  return grid[static_cast<std::size_t>((clamped + 1.0f) * 0.5f * static_cast<float>(kGridSteps - 1) + 0.5f)];
}

constexpr std::int64_t kRowsPerTask = 16;

}  // namespace

const float* nf4_values() { return kValues.data(); }
const float* nf4_absmax_values() { return signed_dynamic_map().values.data(); }

void decode_nf4_row(const Matrix& matrix, std::int64_t r, float* out) {
  const std::uint8_t* codes = reinterpret_cast<const std::uint8_t*>(matrix.data) + r * (matrix.cols / 2);
  const std::int64_t blocks = matrix.cols / kNf4Block;
  for (std::int64_t b = 0; b < blocks; ++b, codes += kNf4Block / 2, out += kNf4Block) {
    const float absmax = nf4_absmax(*matrix.nf4, r * blocks + b);
    for (std::int64_t j = 0; j < kNf4Block / 2; ++j) {
      out[2 * j] = kValues[codes[j] >> 4] * absmax;
      out[2 * j + 1] = kValues[codes[j] & 15] * absmax;
    }
  }
}

float quantize_nf4_block(const float* x, std::uint8_t* codes) {
  float absmax = 0;
  for (std::int64_t i = 0; i < kNf4Block; ++i) {
    const float magnitude = std::fabs(x[i]);
    absmax = magnitude > absmax || std::isnan(magnitude) ? magnitude : absmax;
    if (std::isnan(absmax)) return absmax;
  }
  const float inverse = 1.0f / std::max(absmax, kLeastAbsmax);
  std::array<float, kNf4Block> scaled;
  std::array<std::int32_t, kNf4Block> code{};
  for (std::size_t i = 0; i < kNf4Block; ++i) scaled[i] = x[i] * inverse;
  // All bounds for all values: no branch to mispredict, and loops that become vector code.
  for (const float bound : kBounds) {
    for (std::size_t i = 0; i < kNf4Block; ++i) code[i] += scaled[i] > bound ? 1 : 0;
  }
  for (std::size_t j = 0; j < kNf4Block / 2; ++j) codes[j] = static_cast<std::uint8_t>(code[2 * j] << 4 | code[2 * j + 1]);
  return absmax;
}

float nf4_mean(const float* absmax, std::int64_t n) {
  double sum = 0;
  for (std::int64_t i = 0; i < n; ++i) sum += static_cast<double>(absmax[i]);
  return static_cast<float>(sum / static_cast<double>(n));
}

void quantize_nf4_absmax(const float* absmax, std::int64_t blocks, float offset, std::uint8_t* codes, float* nested) {
  for (std::int64_t first = 0; first < blocks; first += kNf4Nested) {
    const std::int64_t last = std::min(blocks, first + kNf4Nested);
    float most = 0;
    for (std::int64_t b = first; b < last; ++b) most = std::max(most, std::fabs(absmax[b] - offset));
    nested[first / kNf4Nested] = most;
    const float inverse = 1.0f / most;
    for (std::int64_t b = first; b < last; ++b) codes[b] = most == 0 ? 0 : grid_code((absmax[b] - offset) * inverse);
  }
}

bool quantize_nf4(const Nf4Shape& shape, const RowSource& source, int threads, Nf4Matrix& out) {
  out.shape = shape;
  out.codes.resize(static_cast<std::size_t>(shape.code_bytes()));
  out.absmax.resize(static_cast<std::size_t>(shape.blocks()));
  out.nested.resize(static_cast<std::size_t>(shape.nested()));
  std::vector<float> absmax(out.absmax.size());
  std::atomic<std::int64_t> next{0};
  std::atomic<bool> finite{true};
  const auto work = [&](std::vector<float>& row) {
    const std::int64_t blocks = shape.cols / kNf4Block;
    for (std::int64_t first; (first = next.fetch_add(kRowsPerTask)) < shape.rows && finite;) {
      for (std::int64_t r = first; r < std::min(shape.rows, first + kRowsPerTask); ++r) {
        source(r, row.data());
        for (std::int64_t b = 0; b < blocks; ++b) {
          const std::int64_t at = r * blocks + b;
          float& most = absmax[static_cast<std::size_t>(at)];
          most = quantize_nf4_block(row.data() + b * kNf4Block, out.codes.data() + at * (kNf4Block / 2));
          if (!std::isfinite(most)) finite = false;
        }
      }
    }
  };
  // All memory is taken here: what a thread throws has nobody to catch it.
  std::vector<std::vector<float>> rows(static_cast<std::size_t>(std::max(threads, 1)), std::vector<float>(static_cast<std::size_t>(shape.cols)));
  std::vector<std::thread> others;
  others.reserve(rows.size());
  for (std::size_t t = 1; t < rows.size(); ++t) {
    try {
      others.emplace_back(work, std::ref(rows[t]));
    } catch (const std::system_error&) {
      break;  // the threads that there are do it all
    }
  }
  work(rows[0]);
  for (std::thread& other : others) other.join();
  if (!finite) return false;
  out.offset = nf4_mean(absmax.data(), shape.blocks());
  quantize_nf4_absmax(absmax.data(), shape.blocks(), out.offset, out.absmax.data(), out.nested.data());
  return true;
}

}  // namespace namesake
