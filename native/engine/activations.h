// Activations: where everything of a forward and backward pass lies in memory that was planned for it.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "namesake/model.h"

namespace namesake {

/// What the backward pass of one layer needs of its forward pass, and what stands for it where that is kept in bf16. M tokens, E of them
/// where a shared prefix is written out in front of each sequence (engine/packed.h; E = M without one); letters as in Config. Behind the
/// last layer's attention (x_mid and what follows, xa of o) there are P rows for M: those that are wanted.
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
  float* attn = nullptr;       ///< [M, H*D] attention's output; in bf16 of the layer at work, as gate and up
  float* lse = nullptr;        ///< [E, H] of the written-out rows
  float* x_mid = nullptr;      ///< [M, C] after the attention's residual
  float* ffn_rstd = nullptr;   ///< [M]
  float* gate = nullptr;       ///< [M, F], or [ffn_rows, F] of the rows at work; the backward pass overwrites it with its gradient
  float* up = nullptr;         ///< [M, F]; the same
  // The same three, rounded; nullptr where nothing is.
  std::uint16_t* attn_bf16 = nullptr;  ///< [M, H*D]
  std::uint16_t* gate_bf16 = nullptr;  ///< [M, F], or [ffn_rows, F]
  std::uint16_t* up_bf16 = nullptr;    ///< [M, F]; the same
  std::array<float*, kLinears> xa{};  ///< [M, R] each: x Aᵀ of every linear that there is, in the order of Linear
};

/// What is left of a forward pass for the backward pass.
enum class Keep {
  nothing,  ///< no backward pass: all layers share one set, and a layer's output replaces its input
  inputs,   ///< the input of each layer that has factors; the rest of a layer is computed again when the backward pass comes to it
  all,      ///< every such layer's own set
};

/// What is kept, and in what. In bf16 the widest of it takes half the room: the backward pass then sees attention's output, gate and up
/// rounded, whether they were kept or computed again. The forward pass is the same either way.
struct Keeping {
  Keep what = Keep::all;
  bool bf16 = false;

  /// Whether the wide arrays of a layer are kept as the forward pass left them, for all of its rows.
  bool whole() const { return what == Keep::all && !bf16; }
};

/// Rows that the FFN takes at a time: what lies between its products is the widest of a layer. So many that unpacking the weights
/// once more for each slice costs next to nothing.
inline constexpr std::int64_t kFfnRows = 1024;
inline std::int64_t ffn_rows(std::int64_t tokens) { return std::min(tokens, kFfnRows); }

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
  Activations(const Config& config, const LoraShape& lora, Keeping keeping);

  /// Bytes of passes over so much.
  static std::size_t bytes(const Config& config, const LoraShape& lora, Keeping keeping, const BatchRoom& room);
  /// Points everything into `memory`, which has bytes(..., room).
  void place(std::byte* memory, const BatchRoom& room);

  const BatchRoom& room() const { return room_; }
  Keeping keeping() const { return keeping_; }
  /// Whether a backward pass comes that sees rounded values.
  bool rounds() const { return backward() && keeping_.bf16; }
  /// Layers below the adapter's lowest share its set, each in its turn.
  LayerActivations& layer(std::int64_t l) {
    return layers_[keeping_.what == Keep::nothing ? 0 : static_cast<std::size_t>(std::max<std::int64_t>(l - lora_.first_layer, 0))];
  }
  /// Where layer l writes its output: the next layer's input, or x_out after the last.
  float* layer_output(std::int64_t l);
  /// gate and up of layer l at row `start`, where a slice of the FFN begins.
  float* gate(std::int64_t l, std::int64_t start) { return layer(l).gate + (keeping_.whole() ? start * config_.ffn : 0); }
  float* up(std::int64_t l, std::int64_t start) { return layer(l).up + (keeping_.whole() ? start * config_.ffn : 0); }
  /// The same rounded; nullptr where nothing is.
  std::uint16_t* gate_bf16(std::int64_t l, std::int64_t start) { return rounds() ? layer(l).gate_bf16 + rounded_offset(start) : nullptr; }
  std::uint16_t* up_bf16(std::int64_t l, std::int64_t start) { return rounds() ? layer(l).up_bf16 + rounded_offset(start) : nullptr; }

  std::int32_t* ids = nullptr;        ///< [M]
  std::int32_t* positions = nullptr;  ///< [M]
  float* trunk = nullptr;             ///< [M, C] input of the adapter's lowest layer, from which the passes with and without it go on; nullptr where that
                                      ///< is the model's lowest, and both begin at the embedding
  float* x_out = nullptr;             ///< [P, C] output of the last layer, before the final norm: of the rows that are wanted (engine/packed.h)
  float* dx = nullptr;                ///< [M, C], above the last layer's attention [P, C]: gradient of the residual stream (backward only)
  float* h = nullptr;                 ///< [M, C] norm output of the layer at work
  float* dh = nullptr;                ///< [M, C] (backward only)

  // Attention of the layer at work.
  float* qkv = nullptr;   ///< [M, (H + 2G)*D] output of a fused layer, then its gradient; nullptr without fused_qkv
  float* dattn = nullptr; ///< [M, H*D] (backward only, as the next three)
  float* dq = nullptr;    ///< [M, H*D]
  float* dk = nullptr;    ///< [M, G*D]
  float* dv = nullptr;    ///< [M, G*D]
  // Its operands with the prefix written out, where there is one.
  float* wide_q = nullptr;     ///< [E, H*D]
  float* wide_k = nullptr;     ///< [E, G*D]
  float* wide_v = nullptr;     ///< [E, G*D]
  float* wide_attn = nullptr;  ///< [E, H*D]
  float* wide_dattn = nullptr; ///< [E, H*D] (backward only, as the next three)
  float* wide_dq = nullptr;    ///< [E, H*D]
  float* wide_dk = nullptr;    ///< [E, G*D]
  float* wide_dv = nullptr;    ///< [E, G*D]

  // FFN of the layer at work.
  float* act = nullptr;   ///< [ffn_rows, F] swiglu
  float* dact = nullptr;  ///< [ffn_rows, F] (backward only)

  // The rows that the loss looks at; but for rows_base they live between the passes over the layers alone.
  float* rows_norm = nullptr;  ///< [M, C] after the final norm
  float* rows_rstd = nullptr;  ///< [M]
  float* rows_base = nullptr;  ///< [M, C] the same rows with the adapter off, after the norm: live until the backward pass
  float* drows_norm = nullptr; ///< [M, C] (backward only)
  float* drows = nullptr;      ///< [M, C] (backward only)
  std::int32_t* targets = nullptr;  ///< [M]
  float* ce_weight = nullptr;  ///< [M]
  float* kl_weight = nullptr;  ///< [M]
  float* ce = nullptr;         ///< [M]
  float* kl = nullptr;         ///< [M]

 private:
  class Places;

  /// Names every array once, for sizes and pointers alike.
  void plan(const BatchRoom& room, Places& places);
  void share_front();
  void plan_layer(const BatchRoom& room, LayerActivations& layer, Places& places);
  void plan_ffn(const BatchRoom& room, Places& places);
  void plan_attention(const BatchRoom& room, Places& places);
  void plan_loss(const BatchRoom& room, Places& places);
  bool backward() const { return keeping_.what != Keep::nothing; }
  std::int64_t rounded_offset(std::int64_t start) const { return keeping_.what == Keep::all ? start * config_.ffn : 0; }

  Config config_;
  LoraShape lora_;
  Keeping keeping_;
  BatchRoom room_;
  std::vector<LayerActivations> layers_;
};

}  // namespace namesake
