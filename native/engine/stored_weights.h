// StoredWeights: every tensor of a file at its role, checked against the config. Model converts them, the memory plan counts them.
#pragma once

#include <array>
#include <vector>

#include "engine/stored_rows.h"
#include "engine/tensor_names.h"
#include "formats/weight_file.h"
#include "namesake/model.h"

namespace namesake {

/// Of one layer. Vectors that the config does not ask for are nullptr, linears that it does not have are empty.
struct StoredLayer {
  const StoredTensor* attn_norm = nullptr;
  const StoredTensor* ffn_norm = nullptr;
  const StoredTensor* q_bias = nullptr;
  const StoredTensor* k_bias = nullptr;
  const StoredTensor* v_bias = nullptr;
  const StoredTensor* q_norm = nullptr;
  const StoredTensor* k_norm = nullptr;
  std::array<StoredRows, kLinears> linears;  ///< in the order of Linear
};

/// Not owned: the file must outlive them.
struct StoredWeights {
  StoredRows embedding;
  StoredRows head;                            ///< empty when tied
  const StoredTensor* output_norm = nullptr;
  std::vector<StoredLayer> layers;
};

/// model.missing_tensor, model.invalid for a shape that is not the config's, and model.unknown_architecture for a tensor that has
/// no role: to ignore it would be to compute something else.
Result<StoredWeights> find_weights(const WeightFile& file, const Config& config, Naming naming);

}  // namespace namesake
