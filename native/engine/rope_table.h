// Rope table: cosines and sines of every position, as Hugging Face transformers computes them.
#pragma once

#include <vector>

#include "namesake/model.h"

namespace namesake {

/// cos and sin [context, D / 2]. inv_freq = 1 / theta^(2i / D), scaled as the config says, and the angle position * inv_freq are
/// rounded to f32, as there; each function is evaluated in f64 and rounded once, so that the table does not depend on the
/// platform's libm.
struct RopeValues {
  std::vector<float> cos, sin;
};
RopeValues rope_values(const Config& config);

}  // namespace namesake
