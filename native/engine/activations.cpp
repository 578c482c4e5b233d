// See engine/activations.h.
#include "engine/activations.h"

#include <type_traits>

namespace namesake {

namespace {
constexpr std::size_t kAlign = 64;  // bytes, a cache line

/// Bytes of an array of `count` four-byte values, rounded up to whole cache lines.
std::size_t padded(std::int64_t count) { return (static_cast<std::size_t>(count) * 4 + kAlign - 1) / kAlign * kAlign; }
}  // namespace

Activations::Activations(const Config& config, std::int64_t rank, Keep keep)
    : config_(config), rank_(rank), keep_(keep),
      layers_(keep == Keep::nothing ? 1 : static_cast<std::size_t>(config.layers)) {}

template <class Take>
void Activations::plan(const BatchRoom& room, Take&& take) {
  const std::int64_t M = room.tokens, E = room.expanded;
  const std::int64_t C = config_.hidden, F = config_.ffn, Q = config_.heads * config_.head_dim,
                     KV = config_.kv_heads * config_.head_dim;
  const bool backward = keep_ != Keep::nothing;
  for (LayerActivations& layer : layers_) {
    take(layer.x_in, M * C);
    if (keep_ == Keep::inputs && &layer != &layers_.front()) {
      float* x_in = layer.x_in;
      layer = layers_.front();
      layer.x_in = x_in;
      continue;
    }
    take(layer.attn_rstd, M);
    if (config_.qk_norm) {
      take(layer.q_raw, M * Q);
      take(layer.k_raw, M * KV);
      take(layer.q_rstd, M * config_.heads);
      take(layer.k_rstd, M * config_.kv_heads);
    }
    take(layer.q, M * Q);
    take(layer.k, M * KV);
    take(layer.v, M * KV);
    take(layer.attn, M * Q);
    take(layer.lse, E * config_.heads);
    take(layer.x_mid, M * C);
    take(layer.ffn_rstd, M);
    take(layer.gate, M * F);
    take(layer.up, M * F);
    for (Linear linear : linears_of(config_)) take(layer.xa[static_cast<std::size_t>(linear)], M * rank_);
  }
  take(ids, M);
  take(positions, M);
  if (backward) take(x_out, M * C);
  take(h, M * C);
  if (config_.fused_qkv) take(qkv, M * (Q + 2 * KV));
  take(act, M * F);
  take(rows, M * C);
  take(rows_norm, M * C);
  take(rows_rstd, M);
  take(rows_base, M * C);
  take(targets, M);
  take(ce_weight, M);
  take(kl_weight, M);
  take(ce, M);
  take(kl, M);
  take(wide_q, E * Q);
  take(wide_k, E * KV);
  take(wide_v, E * KV);
  take(wide_attn, E * Q);
  if (!backward) return;
  take(wide_dattn, E * Q);
  take(wide_dq, E * Q);
  take(wide_dk, E * KV);
  take(wide_dv, E * KV);
  take(dx, M * C);
  take(dh, M * C);
  take(dact, M * F);
  take(dattn, M * Q);
  take(dq, M * Q);
  take(dk, M * KV);
  take(dv, M * KV);
  take(drows_norm, M * C);
  take(drows, M * C);
}

std::size_t Activations::bytes(const Config& config, std::int64_t rank, Keep keep, const BatchRoom& room) {
  std::size_t total = 0;
  Activations(config, rank, keep).plan(room, [&](auto*&, std::int64_t count) { total += padded(count); });
  return total;
}

void Activations::place(std::byte* memory, const BatchRoom& room) {
  plan(room, [&](auto*& pointer, std::int64_t count) {
    pointer = reinterpret_cast<std::remove_reference_t<decltype(pointer)>>(memory);
    memory += padded(count);
  });
  if (keep_ == Keep::nothing) x_out = layers_[0].x_in;
  room_ = room;
}

float* Activations::layer_output(std::int64_t l) {
  return l + 1 < config_.layers ? layer(l + 1).x_in : x_out;
}

}  // namespace namesake
