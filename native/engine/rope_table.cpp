// See engine/rope_table.h.
#include "engine/rope_table.h"

#include <cmath>
#include <cstddef>
#include <numbers>

namespace namesake {

namespace {

/// One frequency of llama3's scaling, in f32 and in the order of transformers' _compute_llama3_parameters: waves longer than
/// original / low are slowed down by `factor`, those shorter than original / high are not, and between them the two are blended.
float llama3_frequency(const RopeScaling& scaling, float inv_freq) {
  const float factor = static_cast<float>(scaling.factor), low = static_cast<float>(scaling.low), high = static_cast<float>(scaling.high);
  const float original = static_cast<float>(scaling.original_context);
  const float wavelength = static_cast<float>(2 * std::numbers::pi) / inv_freq;
  if (wavelength > original / low) return inv_freq / factor;
  if (wavelength < original / high) return inv_freq;
  const float smooth = (original / wavelength - low) / (high - low);
  return (1 - smooth) * inv_freq / factor + smooth * inv_freq;
}

}  // namespace

RopeValues rope_values(const Config& config) {
  const RopeScaling& scaling = config.rope_scaling;
  const std::size_t half = static_cast<std::size_t>(config.head_dim / 2), positions = static_cast<std::size_t>(config.context);
  std::vector<float> inv_freq(half);
  for (std::size_t i = 0; i < half; ++i) {
    const float exponent = static_cast<float>(2 * i) / static_cast<float>(config.head_dim);
    const float power = static_cast<float>(std::pow(config.rope_theta, static_cast<double>(exponent)));
    inv_freq[i] = 1.0f / power;
    if (!scaling.factors.empty()) {
      inv_freq[i] /= scaling.factors[i];
    } else if (scaling.type == RopeScaling::Type::llama3) {
      inv_freq[i] = llama3_frequency(scaling, inv_freq[i]);
    }
  }
  RopeValues values{std::vector<float>(positions * half), std::vector<float>(positions * half)};
  for (std::size_t p = 0; p < positions; ++p) {
    for (std::size_t i = 0; i < half; ++i) {
      const double angle = static_cast<float>(p) * inv_freq[i];
      values.cos[p * half + i] = static_cast<float>(std::cos(angle));
      values.sin[p * half + i] = static_cast<float>(std::sin(angle));
    }
  }
  return values;
}

}  // namespace namesake
