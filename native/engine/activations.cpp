// See engine/activations.h.
#include "engine/activations.h"

namespace namesake {

/// Hands out places from the start of a block on. Without memory it only counts: pointers stay as they are.
class Activations::Places {
 public:
  explicit Places(std::byte* memory) : memory_(memory) {}

  /// An array of `count` values, at the start of a cache line.
  template <class T>
  void take(T*& pointer, std::int64_t count) {
    if (memory_) pointer = reinterpret_cast<T*>(memory_ + at_);
    at_ += (static_cast<std::size_t>(count) * sizeof(T) + kAlign - 1) / kAlign * kAlign;
  }

  /// Arrays of which only one group is in use at a time: each group begins at the same place.
  template <class... Groups>
  void overlay(Groups&&... groups) {
    const std::size_t begin = at_;
    std::size_t end = at_;
    const auto place = [&](auto&& group) {
      at_ = begin;
      group();
      end = std::max(end, at_);
    };
    (place(groups), ...);
    at_ = end;
  }

  std::size_t bytes() const { return at_; }

 private:
  static constexpr std::size_t kAlign = 64;  // bytes, a cache line

  std::byte* memory_;
  std::size_t at_ = 0;
};

Activations::Activations(const Config& config, const LoraShape& lora, Keeping keeping)
    : config_(config), lora_(lora), keeping_(keeping),
      layers_(keeping.what == Keep::nothing ? 1 : static_cast<std::size_t>(config.layers - lora.first_layer)) {}

void Activations::plan(const BatchRoom& room, Places& places) {
  const std::int64_t M = room.tokens, C = config_.hidden;
  places.take(ids, M);
  places.take(positions, M);
  places.take(targets, M);
  places.take(ce_weight, M);
  places.take(kl_weight, M);
  places.take(ce, M);
  places.take(kl, M);
  if (lora_.first_layer > 0) places.take(trunk, M * C);
  for (LayerActivations& layer : layers_) {
    places.take(layer.x_in, M * C);
    if (keeping_.what != Keep::inputs || &layer == &layers_.front()) plan_layer(room, layer, places);
  }
  if (backward()) places.overlay([&] { places.take(x_out, M * C); }, [&] { places.take(dx, M * C); });
  places.take(h, M * C);
  places.overlay([&] { places.take(rows_base, M * C); }, [&] { if (backward()) places.take(dh, M * C); });
  // A layer is done with one before it begins the other, forward and backward; the loss stands between the passes.
  places.overlay([&] { plan_attention(room, places); }, [&] { plan_ffn(room, places); }, [&] { plan_loss(room, places); });
  share_front();
}

/// Gives every layer what only one at a time has use for.
void Activations::share_front() {
  const LayerActivations& front = layers_.front();
  for (LayerActivations& layer : layers_) {
    if (keeping_.what == Keep::inputs) {
      float* x_in = layer.x_in;
      layer = front;
      layer.x_in = x_in;
    } else if (keeping_.bf16) {
      layer.attn = front.attn;
      layer.gate = front.gate;
      layer.up = front.up;
    }
  }
}

void Activations::plan_layer(const BatchRoom& room, LayerActivations& layer, Places& places) {
  const std::int64_t M = room.tokens, Q = config_.heads * config_.head_dim, KV = config_.kv_heads * config_.head_dim;
  places.take(layer.attn_rstd, M);
  if (config_.qk_norm) {
    places.take(layer.q_raw, M * Q);
    places.take(layer.k_raw, M * KV);
    places.take(layer.q_rstd, M * config_.heads);
    places.take(layer.k_rstd, M * config_.kv_heads);
  }
  places.take(layer.q, M * Q);
  places.take(layer.k, M * KV);
  places.take(layer.v, M * KV);
  if (rounds()) {
    places.take(layer.attn_bf16, M * Q);
  } else {
    places.take(layer.attn, M * Q);
  }
  places.take(layer.lse, room.expanded * config_.heads);
  places.take(layer.x_mid, M * config_.hidden);
  places.take(layer.ffn_rstd, M);
  if (keeping_.whole()) {
    places.take(layer.gate, M * config_.ffn);
    places.take(layer.up, M * config_.ffn);
  } else if (keeping_.what == Keep::all) {
    places.take(layer.gate_bf16, M * config_.ffn);
    places.take(layer.up_bf16, M * config_.ffn);
  }
  for (Linear linear : linears_of(config_)) places.take(layer.xa[static_cast<std::size_t>(linear)], M * lora_.rank);
}

void Activations::plan_ffn(const BatchRoom& room, Places& places) {
  const std::int64_t count = ffn_rows(room.tokens) * config_.ffn;
  LayerActivations& front = layers_.front();
  if (!keeping_.whole()) {
    places.take(front.gate, count);
    places.take(front.up, count);
  }
  if (rounds() && keeping_.what == Keep::inputs) {
    places.take(front.gate_bf16, count);
    places.take(front.up_bf16, count);
  }
  places.take(act, count);
  if (backward()) places.take(dact, count);
}

void Activations::plan_attention(const BatchRoom& room, Places& places) {
  const std::int64_t M = room.tokens, E = room.expanded, Q = config_.heads * config_.head_dim, KV = config_.kv_heads * config_.head_dim;
  if (rounds()) places.take(layers_.front().attn, M * Q);
  if (config_.fused_qkv) places.take(qkv, M * (Q + 2 * KV));
  places.take(wide_q, E * Q);
  places.take(wide_k, E * KV);
  places.take(wide_v, E * KV);
  places.take(wide_attn, E * Q);
  if (!backward()) return;
  places.take(wide_dattn, E * Q);
  places.take(wide_dq, E * Q);
  places.take(wide_dk, E * KV);
  places.take(wide_dv, E * KV);
  places.take(dattn, M * Q);
  places.take(dq, M * Q);
  places.take(dk, M * KV);
  places.take(dv, M * KV);
}

void Activations::plan_loss(const BatchRoom& room, Places& places) {
  const std::int64_t M = room.tokens, C = config_.hidden;
  places.take(rows_norm, M * C);
  places.take(rows_rstd, M);
  if (!backward()) return;
  places.take(drows_norm, M * C);
  places.take(drows, M * C);
}

std::size_t Activations::bytes(const Config& config, const LoraShape& lora, Keeping keeping, const BatchRoom& room) {
  Places places(nullptr);
  Activations(config, lora, keeping).plan(room, places);
  return places.bytes();
}

void Activations::place(std::byte* memory, const BatchRoom& room) {
  Places places(memory);
  plan(room, places);
  if (!backward()) x_out = layers_[0].x_in;
  room_ = room;
}

float* Activations::layer_output(std::int64_t l) {
  return l + 1 < config_.layers ? layer(l + 1).x_in : x_out;
}

}  // namespace namesake
