// See engine/lora_layout.h.
#include "engine/lora_layout.h"

#include <algorithm>

namespace namesake {

namespace {

constexpr std::size_t kPartsPerLayer = 2 * kLinearsPerLayer;

std::vector<float> reorder(const Config& config, const LoraPart& part, std::int64_t cols, std::span<const float> values,
                           bool to_disk) {
  std::vector<float> out(values.begin(), values.end());
  if (!config.rope_adjacent || !part.b || (part.linear != Linear::q && part.linear != Linear::k)) return out;
  const std::int64_t heads = part.linear == Linear::q ? config.heads : config.kv_heads, half = config.head_dim / 2;
  for (std::int64_t head = 0; head < heads; ++head) {
    for (std::int64_t i = 0; i < half; ++i) {
      for (std::int64_t j = 0; j < 2; ++j) {
        const std::int64_t adjacent = head * config.head_dim + 2 * i + j, halves = head * config.head_dim + j * half + i;
        std::copy_n(values.data() + (to_disk ? adjacent : halves) * cols, cols,
                    out.data() + (to_disk ? halves : adjacent) * cols);
      }
    }
  }
  return out;
}

}  // namespace

LoraPart lora_part(std::size_t index) {
  return {static_cast<std::int64_t>(index / kPartsPerLayer), static_cast<Linear>(index % kPartsPerLayer / 2), index % 2 == 1};
}

std::size_t lora_index(const LoraPart& part) {
  return static_cast<std::size_t>(part.layer) * kPartsPerLayer + static_cast<std::size_t>(part.linear) * 2 + (part.b ? 1 : 0);
}

std::string peft_key(const LoraPart& part) {
  const bool mlp = part.linear >= Linear::gate;
  return "base_model.model.model.layers." + std::to_string(part.layer) + (mlp ? ".mlp." : ".self_attn.") +
         kModuleNames[static_cast<std::size_t>(part.linear)] + (part.b ? ".lora_B.weight" : ".lora_A.weight");
}

const Matrix& linear_of(const LayerWeights& weights, Linear linear) {
  switch (linear) {
    case Linear::q: return weights.q;
    case Linear::k: return weights.k;
    case Linear::v: return weights.v;
    case Linear::o: return weights.o;
    case Linear::gate: return weights.gate;
    case Linear::up: return weights.up;
    case Linear::down: return weights.down;
  }
  return weights.down;
}

std::vector<float> to_hugging_face(const Config& config, const LoraPart& part, std::int64_t cols,
                                   std::span<const float> values) {
  return reorder(config, part, cols, values, true);
}

std::vector<float> from_hugging_face(const Config& config, const LoraPart& part, std::int64_t cols,
                                     std::span<const float> values) {
  return reorder(config, part, cols, values, false);
}

}  // namespace namesake
