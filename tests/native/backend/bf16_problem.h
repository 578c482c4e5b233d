// A problem of to_bf16 and from_bf16, for any backend.
#pragma once

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "backend/fixture.h"

namespace namesake::test {

/// Values of all magnitudes, so that most are no bf16.
struct Bf16Problem {
  explicit Bf16Problem(std::int64_t count) : n(count), random("bf16 " + std::to_string(n)), x(random.normals(n)) {
    for (float& value : x) value = std::ldexp(value, static_cast<int>(random.integer(-100, 100)));
  }

  /// Rounded, and back.
  Outputs run(Backend& backend, std::int64_t first, std::int64_t count) const {
    return {round_trip(backend, slice(x, 1, first, count))};
  }

  static std::vector<float> round_trip(Backend& backend, const std::vector<float>& values) {
    const std::int64_t count = static_cast<std::int64_t>(values.size());
    // Two bf16 lie in the room of a float.
    Array from(backend, values), rounded(backend, (count + 1) / 2), back(backend, count);
    auto* bits = reinterpret_cast<std::uint16_t*>(rounded.data());
    REQUIRE(backend.to_bf16(from.data(), count, bits).ok());
    REQUIRE(backend.from_bf16(bits, count, back.data()).ok());
    return back.host();
  }

  std::int64_t n;
  Random random;
  std::vector<float> x;
};

inline void check_bf16_values(Backend& backend) {
  const auto from = [](std::uint32_t bits) { return std::bit_cast<float>(bits); };
  const float infinity = std::numeric_limits<float>::infinity();
  const std::vector<std::pair<float, float>> cases{
      {from(0x3f808000), from(0x3f800000)},  // half-way, below is even
      {from(0x3f818000), from(0x3f820000)},  // half-way, above is even
      {from(0x3f808001), from(0x3f810000)}, {from(0x3f807fff), from(0x3f800000)}, {from(0xbf808001), from(0xbf810000)},
      {0.0f, 0.0f}, {-0.0f, -0.0f}, {from(0x00018000), from(0x00020000)},  // a subnormal
      {infinity, infinity}, {-infinity, -infinity}, {from(0x7f7fffff), infinity}};
  std::vector<float> x{from(0x7f800001), from(0xffffffff)};  // NaN whose digits would be rounded away, or over the top
  for (const auto& [value, rounded] : cases) x.push_back(value);
  const std::vector<float> y = Bf16Problem::round_trip(backend, x);
  CHECK(std::isnan(y[0]));
  CHECK(std::isnan(y[1]));
  for (std::size_t i = 0; i < cases.size(); ++i) {
    CAPTURE(cases[i].first);
    CHECK(std::bit_cast<std::uint32_t>(y[i + 2]) == std::bit_cast<std::uint32_t>(cases[i].second));
  }
}

}  // namespace namesake::test
