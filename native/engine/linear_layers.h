// Linear layers of a block: what each is called, how large it is, and where its matrix lies.
#pragma once

#include <cstdint>
#include <string>

#include "namesake/model.h"

namespace namesake {

/// Shape of a linear layer's matrix [out, in].
struct LinearShape {
  std::int64_t out = 0, in = 0;
};
LinearShape linear_shape(const Config& config, Linear linear);

/// The layer's place among a block's weights.
Matrix& matrix_of(LayerWeights& weights, Linear linear);

/// The module in Hugging Face's code of the family: "model.layers.0.self_attn.q_proj", "model.layers.0.feed_forward.w1".
std::string module_path(Family family, std::int64_t layer, Linear linear);
/// Its last part: "q_proj", "w1".
std::string module_name(Family family, Linear linear);

}  // namespace namesake
