// The order of ops of one layer, forward and backward. Shapes stand in engine/activations.h.
#include "engine/graph.h"

#include "engine/attend.h"

namespace namesake {

Status Graph::linear(std::int64_t l, Linear which, const Matrix& w, const float* bias, const float* x, std::int64_t M,
                     bool adapter_on, const float* residual, float* y, LayerActivations& kept) const {
  Backend& backend = model_.backend();
  if (!adapter_on || !adapter_) return backend.linear_forward(w, bias, nullptr, x, M, residual, y, nullptr, Phase::prefill);
  const LoraView lora = adapter_->view(l, which);
  return backend.linear_forward(w, bias, &lora, x, M, residual, y, kept.xa[static_cast<std::size_t>(which)], Phase::prefill);
}

Status Graph::linear_gradient(std::int64_t l, Linear which, const Matrix& w, const float* x, const float* dy, std::int64_t M,
                              bool accumulate, float* dx, LayerActivations& kept) const {
  const LoraView lora = adapter_->view(l, which);
  const LoraGradient gradient = adapter_->gradient(l, which);
  return model_.backend().linear_backward(w, &lora, x, kept.xa[static_cast<std::size_t>(which)], dy, M, accumulate, dx,
                                          gradient.a, gradient.b);
}

/// kept.q, k, v from acts.h, before rope.
Status Graph::qkv_forward(std::int64_t l, std::int64_t M, bool adapter_on, LayerActivations& kept, Activations& acts) const {
  const Config& config = model_.config();
  const LayerWeights& w = model_.weights().layers[static_cast<std::size_t>(l)];
  Backend& backend = model_.backend();
  const std::int64_t H = config.heads, G = config.kv_heads, D = config.head_dim;
  float *q = config.qk_norm ? kept.q_raw : kept.q, *k = config.qk_norm ? kept.k_raw : kept.k;
  if (config.fused_qkv) {
    NAMESAKE_TRY(linear(l, Linear::qkv, w.qkv, nullptr, acts.h, M, adapter_on, nullptr, acts.qkv, kept));
    NAMESAKE_TRY(backend.split_qkv(acts.qkv, M, H, G, D, q, k, kept.v));
  } else {
    NAMESAKE_TRY(linear(l, Linear::q, w.q, w.q_bias, acts.h, M, adapter_on, nullptr, q, kept));
    NAMESAKE_TRY(linear(l, Linear::k, w.k, w.k_bias, acts.h, M, adapter_on, nullptr, k, kept));
    NAMESAKE_TRY(linear(l, Linear::v, w.v, w.v_bias, acts.h, M, adapter_on, nullptr, kept.v, kept));
  }
  if (!config.qk_norm) return {};
  NAMESAKE_TRY(backend.rmsnorm_forward(q, w.q_norm, config.rms_eps, M * H, D, kept.q, kept.q_rstd));
  return backend.rmsnorm_forward(k, w.k_norm, config.rms_eps, M * G, D, kept.k, kept.k_rstd);
}

/// dh [M, C] (nullptr: not wanted) from acts.dq, dk, dv at the same place. Attention is done with kept.q and k by now.
Status Graph::qkv_backward(std::int64_t l, std::int64_t M, float* dh, LayerActivations& kept, Activations& acts) const {
  const Config& config = model_.config();
  const LayerWeights& w = model_.weights().layers[static_cast<std::size_t>(l)];
  Backend& backend = model_.backend();
  const std::int64_t H = config.heads, G = config.kv_heads, D = config.head_dim;
  const float *dq = acts.dq, *dk = acts.dk;
  if (config.qk_norm) {
    NAMESAKE_TRY(backend.zero(kept.q, static_cast<std::size_t>(M * H * D) * sizeof(float)));
    NAMESAKE_TRY(backend.zero(kept.k, static_cast<std::size_t>(M * G * D) * sizeof(float)));
    NAMESAKE_TRY(backend.rmsnorm_backward(dq, kept.q_raw, w.q_norm, kept.q_rstd, M * H, D, kept.q));
    NAMESAKE_TRY(backend.rmsnorm_backward(dk, kept.k_raw, w.k_norm, kept.k_rstd, M * G, D, kept.k));
    dq = kept.q;
    dk = kept.k;
  }
  if (config.fused_qkv) {
    NAMESAKE_TRY(backend.join_qkv(dq, dk, acts.dv, M, H, G, D, acts.qkv));
    return linear_gradient(l, Linear::qkv, w.qkv, acts.h, acts.qkv, M, false, dh, kept);
  }
  NAMESAKE_TRY(linear_gradient(l, Linear::q, w.q, acts.h, dq, M, false, dh, kept));
  NAMESAKE_TRY(linear_gradient(l, Linear::k, w.k, acts.h, dk, M, true, dh, kept));
  return linear_gradient(l, Linear::v, w.v, acts.h, acts.dv, M, true, dh, kept);
}

Status Graph::layer_forward(std::int64_t l, const Packed& batch, bool adapter_on, LayerActivations& kept, float* x_out,
                            Activations& acts) const {
  const Config& config = model_.config();
  const LayerWeights& w = model_.weights().layers[static_cast<std::size_t>(l)];
  Backend& backend = model_.backend();
  const std::int64_t M = batch.tokens(), C = config.hidden, D = config.head_dim;

  NAMESAKE_TRY(backend.rmsnorm_forward(kept.x_in, w.attn_norm, config.rms_eps, M, C, acts.h, kept.attn_rstd));
  NAMESAKE_TRY(qkv_forward(l, M, adapter_on, kept, acts));
  NAMESAKE_TRY(backend.rope_forward(kept.q, acts.positions, model_.rope(), M, config.heads, D));
  NAMESAKE_TRY(backend.rope_forward(kept.k, acts.positions, model_.rope(), M, config.kv_heads, D));
  NAMESAKE_TRY(attend_forward(backend, config, batch, kept, acts));
  NAMESAKE_TRY(linear(l, Linear::o, w.o, nullptr, kept.attn, M, adapter_on, kept.x_in, kept.x_mid, kept));

  NAMESAKE_TRY(backend.rmsnorm_forward(kept.x_mid, w.ffn_norm, config.rms_eps, M, C, acts.h, kept.ffn_rstd));
  NAMESAKE_TRY(linear(l, Linear::gate, w.gate, nullptr, acts.h, M, adapter_on, nullptr, kept.gate, kept));
  NAMESAKE_TRY(linear(l, Linear::up, w.up, nullptr, acts.h, M, adapter_on, nullptr, kept.up, kept));
  NAMESAKE_TRY(backend.swiglu_forward(kept.gate, kept.up, M * config.ffn, acts.act));
  return linear(l, Linear::down, w.down, nullptr, acts.act, M, adapter_on, kept.x_mid, x_out, kept);
}

Status Graph::forward(const Packed& batch, bool adapter_on, Activations& acts) const {
  Backend& backend = model_.backend();
  const std::size_t bytes = static_cast<std::size_t>(batch.tokens()) * sizeof(std::int32_t);
  NAMESAKE_TRY(backend.upload(acts.ids, batch.ids.data(), bytes));
  NAMESAKE_TRY(backend.upload(acts.positions, batch.positions.data(), bytes));
  NAMESAKE_TRY(backend.embedding_forward(model_.weights().embedding, acts.ids, batch.tokens(), acts.layer(0).x_in));
  for (std::int64_t l = 0; l < model_.config().layers; ++l) {
    NAMESAKE_TRY(layer_forward(l, batch, adapter_on, acts.layer(l), acts.layer_output(l), acts));
  }
  return {};
}

Status Graph::layer_backward(std::int64_t l, const Packed& batch, LayerActivations& kept, Activations& acts) const {
  const Config& config = model_.config();
  const LayerWeights& w = model_.weights().layers[static_cast<std::size_t>(l)];
  Backend& backend = model_.backend();
  const std::int64_t M = batch.tokens(), C = config.hidden, D = config.head_dim, n = M * config.ffn;

  // dx is the gradient at the layer's output; the residual hands it on unchanged to x_mid.
  NAMESAKE_TRY(backend.swiglu_forward(kept.gate, kept.up, n, acts.act));
  NAMESAKE_TRY(linear_gradient(l, Linear::down, w.down, acts.act, acts.dx, M, false, acts.dact, kept));
  NAMESAKE_TRY(backend.swiglu_backward(acts.dact, kept.gate, kept.up, n, kept.gate, kept.up));
  NAMESAKE_TRY(backend.rmsnorm_forward(kept.x_mid, w.ffn_norm, config.rms_eps, M, C, acts.h, nullptr));
  NAMESAKE_TRY(linear_gradient(l, Linear::gate, w.gate, acts.h, kept.gate, M, false, acts.dh, kept));
  NAMESAKE_TRY(linear_gradient(l, Linear::up, w.up, acts.h, kept.up, M, true, acts.dh, kept));
  NAMESAKE_TRY(backend.rmsnorm_backward(acts.dh, kept.x_mid, w.ffn_norm, kept.ffn_rstd, M, C, acts.dx));

  // dx is now the gradient at x_mid; the residual hands it on to x_in.
  NAMESAKE_TRY(linear_gradient(l, Linear::o, w.o, kept.attn, acts.dx, M, false, acts.dattn, kept));
  NAMESAKE_TRY(attend_backward(backend, config, batch, kept, acts));
  NAMESAKE_TRY(backend.rope_backward(acts.dq, acts.positions, model_.rope(), M, config.heads, D));
  NAMESAKE_TRY(backend.rope_backward(acts.dk, acts.positions, model_.rope(), M, config.kv_heads, D));
  NAMESAKE_TRY(backend.rmsnorm_forward(kept.x_in, w.attn_norm, config.rms_eps, M, C, acts.h, nullptr));
  float* dh = l > 0 ? acts.dh : nullptr;
  NAMESAKE_TRY(qkv_backward(l, M, dh, kept, acts));
  if (!dh) return {};
  return backend.rmsnorm_backward(dh, kept.x_in, w.attn_norm, kept.attn_rstd, M, C, acts.dx);
}

Status Graph::backward(const Packed& batch, Activations& acts) const {
  const std::int64_t layers = model_.config().layers;
  for (std::int64_t l = layers; l-- > 0;) {
    // The same ops on the same input give the same bits. The last layer's set is still that of the forward pass.
    if (acts.keep() == Keep::inputs && l + 1 < layers) {
      NAMESAKE_TRY(layer_forward(l, batch, true, acts.layer(l), acts.layer_output(l), acts));
    }
    NAMESAKE_TRY(layer_backward(l, batch, acts.layer(l), acts));
  }
  return {};
}

}  // namespace namesake
