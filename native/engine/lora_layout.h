// LoRA layout: which trainable is which factor, what PEFT calls it, and how its rows are ordered on disk.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/linear_layers.h"
#include "namesake/model.h"

namespace namesake {

/// One LoRA factor. Trainables are in the order layer, linears_of(config), A before B.
struct LoraPart {
  std::int64_t layer = 0;
  Linear linear = Linear::q;
  bool b = false;
};

inline constexpr std::int64_t kMaxRank = 1024;
/// recipe.unsupported for a rank that is not between 1 and kMaxRank, or no block of this model from first_layer up.
Status check_lora(const Config& config, const LoraShape& lora);

/// How many factors an adapter whose lowest block is `first_layer` has.
std::size_t lora_count(const Config& config, std::int64_t first_layer);
LoraPart lora_part(const Config& config, std::int64_t first_layer, std::size_t index);
std::size_t lora_index(const Config& config, std::int64_t first_layer, const LoraPart& part);

/// "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"
std::string peft_key(const Config& config, const LoraPart& part);

/// Floats of a [rows, cols] factor in memory: whole cache lines.
std::size_t padded_floats(std::int64_t rows, std::int64_t cols);
/// Bytes of all factors of `lora`.
std::size_t lora_bytes(const Config& config, const LoraShape& lora);
/// Bytes of AdamW's two moments of all of them (engine/moment.h).
std::size_t moments_bytes(const Config& config, const LoraShape& lora, int state_bits);

/// A factor [rows, cols] in Hugging Face's row order, from the model's own; a copy where the two are the same.
/// They differ in lora_B of q and k where rope pairs are adjacent: row 2i + j of a head there is row j * D/2 + i here.
std::vector<float> to_hugging_face(const Config& config, const LoraPart& part, std::int64_t cols,
                                   std::span<const float> values);
/// The inverse of to_hugging_face.
std::vector<float> from_hugging_face(const Config& config, const LoraPart& part, std::int64_t cols,
                                     std::span<const float> values);

}  // namespace namesake
