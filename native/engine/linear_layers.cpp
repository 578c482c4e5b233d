// See engine/linear_layers.h; also linears_of of model.h.
#include "engine/linear_layers.h"

#include <string_view>

#include "engine/tensor_names.h"

namespace namesake {

std::span<const Linear> linears_of(const Config& config) {
  static constexpr Linear kApart[] = {Linear::q, Linear::k, Linear::v, Linear::o, Linear::gate, Linear::up, Linear::down};
  static constexpr Linear kFused[] = {Linear::qkv, Linear::o, Linear::gate, Linear::up, Linear::down};
  if (config.fused_qkv) return kFused;
  return kApart;
}

LinearShape linear_shape(const Config& config, Linear linear) {
  const std::int64_t C = config.hidden, F = config.ffn, Q = config.heads * config.head_dim,
                     KV = config.kv_heads * config.head_dim;
  switch (linear) {
    case Linear::q: return {Q, C};
    case Linear::k:
    case Linear::v: return {KV, C};
    case Linear::qkv: return {Q + 2 * KV, C};
    case Linear::o: return {C, Q};
    case Linear::gate:
    case Linear::up: return {F, C};
    case Linear::down: return {C, F};
  }
  return {};
}

Matrix& matrix_of(LayerWeights& weights, Linear linear) {
  switch (linear) {
    case Linear::q: return weights.q;
    case Linear::k: return weights.k;
    case Linear::v: return weights.v;
    case Linear::qkv: return weights.qkv;
    case Linear::o: return weights.o;
    case Linear::gate: return weights.gate;
    case Linear::up: return weights.up;
    case Linear::down: break;
  }
  return weights.down;
}

std::string module_path(Family family, std::int64_t layer, Linear linear) {
  constexpr std::string_view kSuffix = ".weight";
  std::string name = tensor_name(hugging_face_naming(family), role_of(linear), layer);
  name.resize(name.size() - kSuffix.size());
  return name;
}

std::string module_name(Family family, Linear linear) {
  const std::string path = module_path(family, 0, linear);
  return path.substr(path.rfind('.') + 1);
}

}  // namespace namesake
