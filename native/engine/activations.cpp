// The plan of the arena: every array is named here once, for sizes and pointers alike.
#include "engine/activations.h"

#include <algorithm>
#include <string>
#include <type_traits>

namespace namesake {

namespace {
constexpr std::size_t kAlign = 64;  // bytes, a cache line

/// Bytes of an array of `count` four-byte values, rounded up to whole cache lines.
std::size_t padded(std::int64_t count) { return (static_cast<std::size_t>(count) * 4 + kAlign - 1) / kAlign * kAlign; }
}  // namespace

Activations::Activations(Backend& backend, const Config& config, std::int64_t rank, bool backward)
    : config_(config), rank_(rank), backward_(backward),
      layers_(static_cast<std::size_t>(backward ? config.layers : 1)), arena_(backend) {}

template <class Take>
void Activations::plan(std::int64_t M, std::int64_t E, Take&& take) {
  const std::int64_t C = config_.hidden, F = config_.ffn, Q = config_.heads * config_.head_dim,
                     KV = config_.kv_heads * config_.head_dim;
  for (LayerActivations& layer : layers_) {
    take(layer.x_in, M * C);
    take(layer.attn_rstd, M);
    take(layer.q, M * Q);
    take(layer.k, M * KV);
    take(layer.v, M * KV);
    take(layer.attn, M * Q);
    take(layer.lse, E * config_.heads);
    take(layer.x_mid, M * C);
    take(layer.ffn_rstd, M);
    take(layer.gate, M * F);
    take(layer.up, M * F);
    for (float*& xa : layer.xa) take(xa, M * rank_);
  }
  take(ids, M);
  take(positions, M);
  if (backward_) take(x_out, M * C);
  take(h, M * C);
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
  if (!backward_) return;
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

Status Activations::reserve(std::int64_t tokens, std::int64_t expanded) {
  if (tokens <= tokens_ && expanded <= expanded_) return {};
  tokens = std::max(tokens, tokens_);
  expanded = std::max(expanded, expanded_);
  tokens_ = expanded_ = 0;
  std::size_t total = 0;
  plan(tokens, expanded, [&](auto*&, std::int64_t count) { total += padded(count); });
  if (Status status = arena_.reserve(total); !status.ok()) {
    return Status::error(status.code, "activations of " + std::to_string(tokens) + " tokens need " +
                                          std::to_string(total >> 20) + " MB: " + status.message);
  }
  std::byte* next = arena_.data();
  plan(tokens, expanded, [&](auto*& pointer, std::int64_t count) {
    pointer = reinterpret_cast<std::remove_reference_t<decltype(pointer)>>(next);
    next += padded(count);
  });
  if (!backward_) x_out = layers_[0].x_in;
  tokens_ = tokens;
  expanded_ = expanded;
  return {};
}

void Activations::release() {
  arena_.release();
  tokens_ = expanded_ = 0;
}

float* Activations::layer_output(std::int64_t l) {
  return l + 1 < config_.layers ? layer(l + 1).x_in : x_out;
}

}  // namespace namesake
