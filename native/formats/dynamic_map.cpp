#include "formats/dynamic_map.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace namesake {

namespace {

/// Each power of ten from 1e-6 to 1 is cut into `parts`, 2 parts, 4 parts, … equal parts of [0.1, 1]; their middles, with 0 and 1.
DynamicMap make_map(int parts, bool negative_too) {
  DynamicMap map{};
  std::size_t size = 0;
  for (int exponent = -6; exponent <= 0; ++exponent, parts *= 2) {
    const float power = static_cast<float>(std::pow(10.0, exponent)), step = (1.0f - 0.1f) / static_cast<float>(parts);
    // Both ends are exact: the first half is counted from 0.1, the second from 1; each with one rounding.
    const auto boundary = [&](int i) {
      return i < (parts + 1) / 2 ? std::fma(step, static_cast<float>(i), 0.1f) : std::fma(-step, static_cast<float>(parts - i), 1.0f);
    };
    for (int i = 0; i < parts; ++i) {
      const float middle = power * ((boundary(i) + boundary(i + 1)) / 2.0f);
      map.values[size++] = middle;
      if (negative_too) map.values[size++] = -middle;
    }
  }
  map.values[size++] = 0.0f;
  map.values[size++] = 1.0f;
  std::sort(map.values.begin(), map.values.end());
  for (std::size_t i = 0; i < 255; ++i) map.bounds[i] = 0.5f * (map.values[i] + map.values[i + 1]);
  map.bounds[255] = std::numeric_limits<float>::infinity();
  for (std::uint32_t upper = 0; upper < map.first.size(); ++upper) {
    const bool negative = upper >= 0x8000;
    map.first[upper] = dynamic_code(map, std::bit_cast<float>(upper << 16 | (negative ? 0xffffu : 0u)));
  }
  return map;
}

}  // namespace

const DynamicMap& signed_dynamic_map() {
  static const DynamicMap map = make_map(1, true);
  return map;
}

const DynamicMap& unsigned_dynamic_map() {
  static const DynamicMap map = make_map(2, false);
  return map;
}

std::uint8_t dynamic_code(const DynamicMap& map, float x) {
  std::size_t code = 0;  // bounds that lie below x
  for (std::size_t step = 128; step > 0; step /= 2) code += x > map.bounds[code + step - 1] ? step : 0;
  return static_cast<std::uint8_t>(code);
}

float encode_dynamic_block(const DynamicMap& map, const float* x, std::int64_t n, std::uint8_t* codes) {
  float absmax = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    const float magnitude = std::fabs(x[i]);
    absmax = magnitude > absmax || std::isnan(magnitude) ? magnitude : absmax;
    if (std::isnan(absmax)) break;
  }
  for (std::int64_t i = 0; i < n; ++i) codes[i] = dynamic_code(map, absmax == 0 ? 0.0f : x[i] / absmax);
  return absmax;
}

void decode_dynamic(const DynamicMap& map, const std::uint8_t* codes, const float* absmax, std::int64_t n, float* out) {
  for (std::int64_t i = 0; i < n; ++i) out[i] = map.values[codes[i]] * absmax[i / kDynamicBlock];
}

}  // namespace namesake
