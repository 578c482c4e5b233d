// Graph: forward and backward order of a model's layers over packed sequences. All families share it: what a config asks for
// beside plain Llama (biases, norms of query and key heads, fused q/k/v) are steps in between.
#pragma once

#include <cstdint>

#include "engine/activations.h"
#include "engine/packed.h"
#include "namesake/model.h"

namespace namesake {

/// The layers between embedding and final norm. Owns no memory: activations come from the caller, gradients go to the
/// adapter's trainables.
class Graph {
 public:
  /// `adapter` may be nullptr: the base model only.
  Graph(const Model& model, const Adapter* adapter) : model_(model), adapter_(adapter) {}

  /// acts.x_out [P, C] = hidden states before the final norm, of the rows that are wanted. `adapter_on` false: the base model.
  /// acts must have room for the batch.
  Status forward(const Packed& batch, bool adapter_on, Activations& acts) const;

  // The same in two parts.

  /// The input of the adapter's lowest layer, acts.layer(first_layer()).x_in [M, C].
  Status trunk(const Packed& batch, Activations& acts) const;
  /// acts.x_out from there: what lies in that input may also come from another pass over the same tokens.
  Status branch(const Packed& batch, bool adapter_on, Activations& acts) const;

  /// The lowest layer that has factors; without an adapter 0.
  std::int64_t first_layer() const { return adapter_ ? adapter_->shape().first_layer : 0; }

  /// Adds the gradients of the trainables, from acts.dx [P, C] = gradient at acts.x_out, after a forward pass with the adapter on
  /// over the same batch. Stops at the input of the adapter's lowest layer: nothing below it is trained. Overwrites gate, up and dx.
  Status backward(const Packed& batch, Activations& acts) const;

 private:
  /// A layer at work.
  struct At {
    std::int64_t l;
    const Packed& batch;
    bool adapter_on;  ///< there is one, and it counts: layers below its lowest are asked for without
    LayerActivations& kept;
    Activations& acts;
    std::int64_t rows;  ///< behind its attention: all, or those that are wanted of the last layer

    /// Whether only some rows go on.
    bool narrows() const { return rows < batch.tokens(); }
  };
  At at(std::int64_t l, const Packed& batch, bool adapter_on, Activations& acts) const {
    return {l, batch, adapter_on && adapter_, acts.layer(l), acts, l + 1 < model_.config().layers ? batch.tokens() : batch.outputs()};
  }
  /// Rows start .. start + count of the FFN.
  struct Slice {
    std::int64_t start, count;
  };

  /// Layers from .. to, each from its x_in.
  Status layers(std::int64_t from, std::int64_t to, const Packed& batch, bool adapter_on, Activations& acts) const;
  Status attention_half(const At& at) const;
  Status attention_output(const At& at) const;
  Status ffn_half(const At& at, float* x_out) const;
  Status gate_and_up(const At& at, const Slice& slice) const;
  Status attention_half_backward(const At& at) const;
  Status attention_output_backward(const At& at) const;
  Status ffn_half_backward(const At& at) const;
  Status qkv_forward(const At& at) const;
  Status qkv_backward(const At& at, float* dh) const;
  /// Where the backward pass sees rounded values: to bf16, and back from there. Elsewhere they do nothing.
  Status round(const At& at, const float* x, std::int64_t n, std::uint16_t* rounded) const;
  Status widen(const At& at, const std::uint16_t* rounded, std::int64_t n, float* x) const;
  /// Rows from `start` on; x, residual and y begin at that row, xa of the layer does not.
  Status linear(const At& at, Linear which, const Matrix& w, const float* bias, const float* x, const Slice& rows, const float* residual,
                float* y) const;
  Status linear_gradient(const At& at, Linear which, const Matrix& w, const float* x, const float* dy, const Slice& rows, bool accumulate,
                         float* dx) const;

  const Model& model_;
  const Adapter* adapter_;
};

}  // namespace namesake
