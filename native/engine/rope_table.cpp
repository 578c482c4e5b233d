// See engine/rope_table.h.
#include "engine/rope_table.h"

#include <cmath>

namespace namesake {

RopeValues rope_values(double theta, std::int64_t head_dim, std::int64_t positions) {
  const std::size_t half = static_cast<std::size_t>(head_dim / 2), count = static_cast<std::size_t>(positions) * half;
  std::vector<float> inv_freq(half);
  for (std::size_t i = 0; i < half; ++i) {
    const float exponent = static_cast<float>(2 * i) / static_cast<float>(head_dim);
    const float power = static_cast<float>(std::pow(theta, static_cast<double>(exponent)));
    inv_freq[i] = 1.0f / power;
  }
  RopeValues values{std::vector<float>(count), std::vector<float>(count)};
  for (std::size_t p = 0; p < static_cast<std::size_t>(positions); ++p) {
    for (std::size_t i = 0; i < half; ++i) {
      const double angle = static_cast<float>(p) * inv_freq[i];
      values.cos[p * half + i] = static_cast<float>(std::cos(angle));
      values.sin[p * half + i] = static_cast<float>(std::sin(angle));
    }
  }
  return values;
}

}  // namespace namesake
