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

LinearShape linear_shape(const Config& config, Linear linear) {
  const std::int64_t C = config.hidden, F = config.ffn, Q = config.heads * config.head_dim,
                     KV = config.kv_heads * config.head_dim;
  switch (linear) {
    case Linear::q: return {Q, C};
    case Linear::k:
    case Linear::v: return {KV, C};
    case Linear::o: return {C, Q};
    case Linear::gate:
    case Linear::up: return {F, C};
    case Linear::down: return {C, F};
  }
  return {};
}

std::size_t padded_floats(std::int64_t rows, std::int64_t cols) {
  constexpr std::size_t kAlignFloats = 16;  // a cache line
  return (static_cast<std::size_t>(rows * cols) + kAlignFloats - 1) / kAlignFloats * kAlignFloats;
}

std::size_t lora_bytes(const Config& config, std::int64_t rank) {
  std::size_t floats = 0;
  for (int i = 0; i < kLinearsPerLayer; ++i) {
    const LinearShape shape = linear_shape(config, static_cast<Linear>(i));
    floats += padded_floats(rank, shape.in) + padded_floats(shape.out, rank);
  }
  return static_cast<std::size_t>(config.layers) * floats * sizeof(float);
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
