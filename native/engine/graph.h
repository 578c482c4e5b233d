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

  /// acts.x_out [M, C] = hidden states before the final norm. `adapter_on` false: the base model.
  /// acts must have room for the batch.
  Status forward(const Packed& batch, bool adapter_on, Activations& acts) const;

  /// Adds the gradients of the trainables, from acts.dx [M, C] = gradient at acts.x_out, after a forward pass with the adapter on
  /// over the same batch. Stops at the first layer's input: nothing below it is trained. Overwrites gate, up and dx.
  Status backward(const Packed& batch, Activations& acts) const;

 private:
  Status layer_forward(std::int64_t l, const Packed& batch, bool adapter_on, LayerActivations& kept, float* x_out,
                       Activations& acts) const;
  Status layer_backward(std::int64_t l, const Packed& batch, LayerActivations& kept, Activations& acts) const;
  Status qkv_forward(std::int64_t l, std::int64_t M, bool adapter_on, LayerActivations& kept, Activations& acts) const;
  Status qkv_backward(std::int64_t l, std::int64_t M, float* dh, LayerActivations& kept, Activations& acts) const;
  Status linear(std::int64_t l, Linear which, const Matrix& w, const float* bias, const float* x, std::int64_t M, bool adapter_on,
                const float* residual, float* y, LayerActivations& kept) const;
  Status linear_gradient(std::int64_t l, Linear which, const Matrix& w, const float* x, const float* dy, std::int64_t M,
                         bool accumulate, float* dx, LayerActivations& kept) const;

  const Model& model_;
  const Adapter* adapter_;
};

}  // namespace namesake
