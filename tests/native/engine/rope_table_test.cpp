// The rope table under each scaling, against the formula in f64.
#include "engine/rope_table.h"

#include <cmath>
#include <numbers>

#include "doctest/doctest.h"

namespace namesake::test {

namespace {

/// Llama-3.2-1B's rope.
Config llama3() {
  Config config;
  config.head_dim = 64;
  config.context = 4096;
  config.rope_theta = 500000;
  config.rope_scaling = {RopeScaling::Type::llama3, 32, 1, 4, 8192, {}};
  return config;
}

/// The angle that pair `pair` turns by in one position.
double angle(const Config& config, std::int64_t pair) {
  const RopeValues values = rope_values(config);
  const std::size_t at = static_cast<std::size_t>(config.head_dim / 2 + pair);
  return std::atan2(double(values.sin[at]), double(values.cos[at]));
}

double unscaled(const Config& config, std::int64_t pair) {
  return std::pow(config.rope_theta, -2.0 * double(pair) / double(config.head_dim));
}

}  // namespace

TEST_CASE("llama3 keeps short waves, slows long ones down by the factor, and blends those between") {
  const Config config = llama3();
  int kept = 0, slowed = 0, blended = 0;
  for (std::int64_t pair = 0; pair < 32; ++pair) {
    CAPTURE(pair);
    const double plain = unscaled(config, pair), wavelength = 2 * std::numbers::pi / plain;
    double expected = plain;
    if (wavelength > 8192.0) {
      expected = plain / 32;
      ++slowed;
    } else if (wavelength < 8192.0 / 4) {
      ++kept;
    } else {
      const double smooth = (8192.0 / wavelength - 1) / (4 - 1);
      expected = plain / (1 / ((1 - smooth) / 32 + smooth));
      ++blended;
    }
    CHECK(angle(config, pair) == doctest::Approx(expected).epsilon(1e-5));  // measured 2e-7
  }
  CHECK(kept > 0);
  CHECK(slowed > 0);
  CHECK(blended > 0);
}

TEST_CASE("factors that a file states are what the numbers come to") {
  Config numbers = llama3(), stated = llama3();
  for (std::int64_t pair = 0; pair < 32; ++pair) {
    stated.rope_scaling.factors.push_back(static_cast<float>(unscaled(numbers, pair) / angle(numbers, pair)));
  }
  for (std::int64_t pair = 0; pair < 32; ++pair) CHECK(angle(stated, pair) == doctest::Approx(angle(numbers, pair)).epsilon(1e-6));
}

TEST_CASE("dynamic scaling changes nothing within the model's own context") {
  Config plain = llama3(), dynamic = llama3();
  plain.rope_scaling = {};
  dynamic.rope_scaling = {RopeScaling::Type::dynamic, 2, 1, 4, 0, {}};
  const RopeValues a = rope_values(plain), b = rope_values(dynamic);
  CHECK(a.cos == b.cos);
  CHECK(a.sin == b.sin);
}

}  // namespace namesake::test
