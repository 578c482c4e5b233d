// Activations: where everything of a forward and backward pass lies in memory that was planned for it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "namesake/model.h"

namespace namesake {

/// What the backward pass of one layer needs of its forward pass. M tokens, E of them where a shared prefix is written out
/// in front of each sequence (engine/packed.h; E = M without one); letters as in Config.
/// Norm outputs and the swiglu product are not kept: they are recomputed, which changes no bit.
struct LayerActivations {
  float* x_in = nullptr;       ///< [M, C] the layer's input
  float* attn_rstd = nullptr;  ///< [M]
  float* q_raw = nullptr;      ///< [M, H*D] before the norm of query heads; nullptr without qk_norm, as the next three
  float* k_raw = nullptr;      ///< [M, G*D]
  float* q_rstd = nullptr;     ///< [M, H]
  float* k_rstd = nullptr;     ///< [M, G]
  float* q = nullptr;          ///< [M, H*D] after rope; with qk_norm the backward pass overwrites it with the gradient at q_raw
  float* k = nullptr;          ///< [M, G*D] after rope; the same
  float* v = nullptr;          ///< [M, G*D]
  float* attn = nullptr;       ///< [M, H*D] attention's output
  float* lse = nullptr;        ///< [E, H] of the written-out rows
  float* x_mid = nullptr;      ///< [M, C] after the attention's residual
  float* ffn_rstd = nullptr;   ///< [M]
  float* gate = nullptr;       ///< [M, F]; the backward pass overwrites it with its gradient
  float* up = nullptr;         ///< [M, F]; the same
  std::array<float*, kLinears> xa{};  ///< [M, R] each: x Aᵀ of every linear that there is, in the order of Linear
};

/// What is left of a forward pass for the backward pass.
enum class Keep {
  nothing,  ///< no backward pass: all layers share one set, and a layer's output replaces its input
  inputs,   ///< each layer's input; the rest of a layer is computed again when the backward pass comes to it
  all,      ///< every layer's own set
};

/// What a micro-batch has room for: so many rows as the graph computes them (engine/packed.h), and written out.
struct BatchRoom {
  std::int64_t tokens = 0;    ///< M
  std::int64_t expanded = 0;  ///< E, at least M

  /// Of a batch whose sequences share nothing.
  static BatchRoom plain(std::int64_t tokens) { return {tokens, tokens}; }
};

/// Passes over micro-batches of up to a BatchRoom.
class Activations {
 public:
  Activations(const Config& config, std::int64_t rank, Keep keep);

  /// Bytes of passes over so much.
  static std::size_t bytes(const Config& config, std::int64_t rank, Keep keep, const BatchRoom& room);
  /// Points everything into `memory`, which has bytes(..., room).
  void place(std::byte* memory, const BatchRoom& room);

  const BatchRoom& room() const { return room_; }
  Keep keep() const { return keep_; }
  LayerActivations& layer(std::int64_t l) { return layers_[keep_ == Keep::nothing ? 0 : static_cast<std::size_t>(l)]; }
  /// Where layer l writes its output: the next layer's input, or x_out after the last.
  float* layer_output(std::int64_t l);

  std::int32_t* ids = nullptr;        ///< [M]
  std::int32_t* positions = nullptr;  ///< [M]
  float* x_out = nullptr;             ///< [M, C] output of the last layer, before the final norm
  float* h = nullptr;                 ///< [M, C] norm output of the layer at work
  float* qkv = nullptr;               ///< [M, (H + 2G)*D] output of a fused layer, then its gradient; nullptr without fused_qkv
  float* act = nullptr;               ///< [M, F] swiglu of the layer at work
  // Attention's operands with the prefix written out, where there is one.
  float* wide_q = nullptr;     ///< [E, H*D]
  float* wide_k = nullptr;     ///< [E, G*D]
  float* wide_v = nullptr;     ///< [E, G*D]
  float* wide_attn = nullptr;  ///< [E, H*D]
  float* wide_dattn = nullptr; ///< [E, H*D] (backward only)
  float* wide_dq = nullptr;    ///< [E, H*D] (backward only)
  float* wide_dk = nullptr;    ///< [E, G*D] (backward only)
  float* wide_dv = nullptr;    ///< [E, G*D] (backward only)
  // Gradients of the layer at work (backward only).
  float* dx = nullptr;      ///< [M, C] of the residual stream
  float* dh = nullptr;      ///< [M, C]
  float* dact = nullptr;    ///< [M, F]
  float* dattn = nullptr;   ///< [M, H*D]
  float* dq = nullptr;      ///< [M, H*D]
  float* dk = nullptr;      ///< [M, G*D]
  float* dv = nullptr;      ///< [M, G*D]
  // The rows that the loss looks at, gathered.
  float* rows = nullptr;       ///< [M, C] before the final norm
  float* rows_norm = nullptr;  ///< [M, C] after it
  float* rows_rstd = nullptr;  ///< [M]
  float* rows_base = nullptr;  ///< [M, C] the same rows with the adapter off, after the norm
  float* drows_norm = nullptr; ///< [M, C] (backward only)
  float* drows = nullptr;      ///< [M, C] (backward only)
  std::int32_t* targets = nullptr;  ///< [M]
  float* ce_weight = nullptr;  ///< [M]
  float* kl_weight = nullptr;  ///< [M]
  float* ce = nullptr;         ///< [M]
  float* kl = nullptr;         ///< [M]

 private:
  /// Names every array once: take(pointer, count) for sizes and pointers alike.
  template <class Take>
  void plan(const BatchRoom& room, Take&& take);

  Config config_;
  std::int64_t rank_;
  Keep keep_;
  BatchRoom room_;
  std::vector<LayerActivations> layers_;
};

}  // namespace namesake
