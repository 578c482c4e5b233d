// See engine/lora_layout.h.
#include "engine/lora_layout.h"

#include <algorithm>

#include "engine/moment.h"

namespace namesake {

namespace {

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

LoraShape lora_shape(const Config& config, std::int64_t rank, std::int64_t layers) {
  return {rank, layers == 0 ? 0 : std::max<std::int64_t>(config.layers - layers, 0)};
}

Status check_lora(const Config& config, const LoraShape& lora) {
  if (lora.rank < 1 || lora.rank > kMaxRank) {
    return Status::error(Code::recipe_unsupported, "rank " + std::to_string(lora.rank) + " is not between 1 and " + std::to_string(kMaxRank));
  }
  if (lora.first_layer < 0 || lora.first_layer >= config.layers) {
    return Status::error(Code::recipe_unsupported, "layer " + std::to_string(lora.first_layer) + " is none of this model's " + std::to_string(config.layers));
  }
  return {};
}

std::size_t lora_count(const Config& config, std::int64_t first_layer) {
  return static_cast<std::size_t>(config.layers - first_layer) * linears_of(config).size() * 2;
}

LoraPart lora_part(const Config& config, std::int64_t first_layer, std::size_t index) {
  const std::span<const Linear> linears = linears_of(config);
  const std::size_t parts = 2 * linears.size();
  return {first_layer + static_cast<std::int64_t>(index / parts), linears[index % parts / 2], index % 2 == 1};
}

std::size_t lora_index(const Config& config, std::int64_t first_layer, const LoraPart& part) {
  const std::span<const Linear> linears = linears_of(config);
  const auto place = static_cast<std::size_t>(std::find(linears.begin(), linears.end(), part.linear) - linears.begin());
  return (static_cast<std::size_t>(part.layer - first_layer) * linears.size() + place) * 2 + (part.b ? 1 : 0);
}

std::string peft_key(const Config& config, const LoraPart& part) {
  return "base_model.model." + module_path(config.family, part.layer, part.linear) + (part.b ? ".lora_B.weight" : ".lora_A.weight");
}

std::size_t padded_floats(std::int64_t rows, std::int64_t cols) {
  constexpr std::size_t kAlignFloats = 16;  // a cache line
  return (static_cast<std::size_t>(rows * cols) + kAlignFloats - 1) / kAlignFloats * kAlignFloats;
}

std::size_t lora_bytes(const Config& config, const LoraShape& lora) {
  std::size_t floats = 0;
  for (Linear linear : linears_of(config)) {
    const LinearShape shape = linear_shape(config, linear);
    floats += padded_floats(lora.rank, shape.in) + padded_floats(shape.out, lora.rank);
  }
  return static_cast<std::size_t>(config.layers - lora.first_layer) * floats * sizeof(float);
}

std::size_t moments_bytes(const Config& config, const LoraShape& lora, int state_bits) {
  std::size_t bytes = 0;
  for (Linear linear : linears_of(config)) {
    const LinearShape shape = linear_shape(config, linear);
    bytes += 2 * (moment_bytes(lora.rank * shape.in, state_bits) + moment_bytes(shape.out * lora.rank, state_bits));
  }
  return static_cast<std::size_t>(config.layers - lora.first_layer) * bytes;
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
