// Philox against the known answers of its authors' library.
#include "engine/philox.h"

#include <set>

#include "doctest/doctest.h"

namespace namesake {

TEST_CASE("philox_block gives the known answers of Random123 (kat_vectors, philox4x32 10)") {
  using Words = std::array<std::uint32_t, 4>;
  constexpr std::uint32_t ones = 0xffffffff;
  CHECK(philox_block({0, 0, 0, 0}, {0, 0}) == Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(philox_block({ones, ones, ones, ones}, {ones, ones}) == Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox_block({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("philox_uniform is in [0, 1), about even, and its own for every seed, stream and index") {
  double sum = 0, squares = 0, sum53 = 0;
  constexpr std::uint64_t n = 20000;
  for (std::uint64_t i = 0; i < n; ++i) {
    const float u = philox_uniform(7, 1, i);
    CHECK(u >= 0);
    CHECK(u < 1);
    sum += double(u);
    squares += double(u) * double(u);
    sum53 += philox_uniform53(7, 1, i);
  }
  // Five deviations of a mean of n uniforms: 5 sqrt(1 / 12 n) = 0.0102.
  CHECK(sum / n == doctest::Approx(0.5).epsilon(0.02));
  CHECK(sum53 / n == doctest::Approx(0.5).epsilon(0.02));
  CHECK(squares / n == doctest::Approx(1.0 / 3).epsilon(0.02));

  std::set<double> values;
  const std::uint64_t large = std::uint64_t{1} << 40;
  for (std::uint64_t seed : {std::uint64_t{0}, std::uint64_t{1}, large}) {
    for (std::uint64_t stream : {std::uint64_t{0}, std::uint64_t{1}, large}) {
      for (std::uint64_t block : {std::uint64_t{0}, std::uint64_t{1}, large}) values.insert(philox_uniform53(seed, stream, block));
    }
  }
  CHECK(values.size() == 27);
}

}  // namespace namesake
