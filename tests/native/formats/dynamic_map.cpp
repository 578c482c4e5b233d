// The dynamic maps are bitsandbytes' own, and a code is that of the nearest value (golden/states8.safetensors).
#include "formats/dynamic_map.h"

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

std::vector<float> golden(const std::string& name) {
  static const SafetensorsFile file = [] {
    Result<SafetensorsFile> read = read_safetensors(NAMESAKE_FIXTURES "/golden/states8.safetensors");
    REQUIRE_MESSAGE(read.ok(), read.status().message);
    return read.take();
  }();
  return file.tensors.at(name).data;
}

const DynamicMap& map_of(bool negative_too) { return negative_too ? signed_dynamic_map() : unsigned_dynamic_map(); }

}  // namespace

TEST_CASE("dynamic maps: the values are bitsandbytes' own, bit for bit") {
  const auto same = [](const DynamicMap& map, const std::vector<float>& expected) {
    return expected.size() == 256 && std::memcmp(map.values.data(), expected.data(), sizeof map.values) == 0;
  };
  CHECK(same(signed_dynamic_map(), golden("signed_map")));
  CHECK(same(unsigned_dynamic_map(), golden("unsigned_map")));
}

TEST_CASE("dynamic maps: each value has its own code, and a bound goes to the value below it") {
  constexpr float kMore = std::numeric_limits<float>::infinity();
  for (bool negative_too : {true, false}) {
    const DynamicMap& map = map_of(negative_too);
    for (std::size_t code = 0; code < 256; ++code) CHECK(dynamic_code(map, map.values[code]) == code);
    for (std::size_t code = 0; code < 255; ++code) {
      CHECK(dynamic_code(map, map.bounds[code]) == code);
      CHECK(dynamic_code(map, std::nextafterf(map.bounds[code], kMore)) == code + 1);
    }
    const auto by_table = [&map](float x) {
      const std::size_t code = map.first[std::bit_cast<std::uint32_t>(x) >> 16];
      return code + (x > map.bounds[code] ? 1 : 0);
    };
    bool same = true;
    for (std::size_t code = 0; code < 255; ++code) {
      for (float x : {map.values[code], map.bounds[code], std::nextafterf(map.bounds[code], kMore), std::nextafterf(map.bounds[code], -kMore)}) {
        same &= by_table(x) == dynamic_code(map, x);
      }
      if (code > 0) same &= std::bit_cast<std::uint32_t>(map.bounds[code]) >> 16 != std::bit_cast<std::uint32_t>(map.bounds[code - 1]) >> 16;
    }
    for (float x : {0.0f, -0.0f, 1.0f, -1.0f, std::numeric_limits<float>::denorm_min()}) same &= by_table(x) == dynamic_code(map, x);
    CHECK(same);
    CHECK(dynamic_code(map, -1) == 0);
    CHECK(dynamic_code(map, std::nanf("")) == 0);
  }
}

TEST_CASE("dynamic maps: a block is scaled by its largest, zeros stay zeros, and what is not finite shows in the absmax") {
  std::vector<std::uint8_t> codes(kDynamicBlock);
  std::vector<float> x(kDynamicBlock), back(kDynamicBlock);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = std::sin(static_cast<float>(i)) * std::exp(static_cast<float>(i % 9)) * 1e-3f;
  const float absmax = encode_dynamic_block(signed_dynamic_map(), x.data(), kDynamicBlock, codes.data());
  const auto largest = std::max_element(x.begin(), x.end(), [](float a, float b) { return std::fabs(a) < std::fabs(b); });
  CHECK(absmax == std::fabs(*largest));
  decode_dynamic(signed_dynamic_map(), codes.data(), &absmax, kDynamicBlock, back.data());
  // Half of the widest step, 0.9 / 64: so is the way from -1 to the least value.
  for (std::size_t i = 0; i < x.size(); ++i) CHECK(std::fabs(back[i] - x[i]) <= absmax * 0.00704f);

  std::fill(x.begin(), x.end(), 0.0f);
  CHECK(encode_dynamic_block(signed_dynamic_map(), x.data(), 7, codes.data()) == 0);
  CHECK(std::count(codes.begin(), codes.begin() + 7, std::uint8_t{127}) == 7);
  CHECK(encode_dynamic_block(unsigned_dynamic_map(), x.data(), 7, codes.data()) == 0);
  CHECK(std::count(codes.begin(), codes.begin() + 7, std::uint8_t{0}) == 7);
  x[3] = std::numeric_limits<float>::denorm_min();
  CHECK(encode_dynamic_block(unsigned_dynamic_map(), x.data(), 7, codes.data()) == x[3]);
  CHECK(codes[3] == 255);
  x[5] = std::nanf("");
  CHECK(std::isnan(encode_dynamic_block(unsigned_dynamic_map(), x.data(), 7, codes.data())));
}

}  // namespace namesake
