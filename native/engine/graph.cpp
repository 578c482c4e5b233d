// The order of ops of one layer, forward and backward. Shapes stand in engine/activations.h.
#include "engine/graph.h"

#include <algorithm>

#include "engine/attend.h"
#include "engine/row_copies.h"

namespace namesake {

namespace {

/// Calls work(slice) for each slice of rows that the FFN takes at a time.
template <class Slice, class Work>
Status for_each_slice(std::int64_t M, Work work) {
  for (std::int64_t start = 0; start < M; start += kFfnRows) NAMESAKE_TRY(work(Slice{start, std::min(kFfnRows, M - start)}));
  return {};
}

}  // namespace

Status Graph::linear(const At& at, Linear which, const Matrix& w, const float* bias, const float* x, const Slice& rows,
                     const float* residual, float* y) const {
  Backend& backend = model_.backend();
  if (!at.adapter_on) return backend.linear_forward(w, bias, nullptr, x, rows.count, residual, y, nullptr, Phase::prefill);
  const LoraView lora = adapter_->view(at.l, which);
  float* xa = at.kept.xa[static_cast<std::size_t>(which)] + rows.start * lora.rank;
  return backend.linear_forward(w, bias, &lora, x, rows.count, residual, y, xa, Phase::prefill);
}

Status Graph::linear_gradient(const At& at, Linear which, const Matrix& w, const float* x, const float* dy, const Slice& rows,
                              bool accumulate, float* dx) const {
  const LoraView lora = adapter_->view(at.l, which);
  const LoraGradient gradient = adapter_->gradient(at.l, which);
  const float* xa = at.kept.xa[static_cast<std::size_t>(which)] + rows.start * lora.rank;
  return model_.backend().linear_backward(w, &lora, x, xa, dy, rows.count, accumulate, dx, gradient.a, gradient.b);
}

/// kept.q, k, v from acts.h, before rope.
Status Graph::qkv_forward(const At& at) const {
  const Config& config = model_.config();
  const LayerWeights& w = model_.weights().layers[static_cast<std::size_t>(at.l)];
  Backend& backend = model_.backend();
  LayerActivations& kept = at.kept;
  Activations& acts = at.acts;
  const std::int64_t M = at.batch.tokens(), H = config.heads, G = config.kv_heads, D = config.head_dim;
  const Slice all{0, M};
  float *q = config.qk_norm ? kept.q_raw : kept.q, *k = config.qk_norm ? kept.k_raw : kept.k;
  if (config.fused_qkv) {
    NAMESAKE_TRY(linear(at, Linear::qkv, w.qkv, nullptr, acts.h, all, nullptr, acts.qkv));
    NAMESAKE_TRY(backend.split_qkv(acts.qkv, M, H, G, D, q, k, kept.v));
  } else {
    NAMESAKE_TRY(linear(at, Linear::q, w.q, w.q_bias, acts.h, all, nullptr, q));
    NAMESAKE_TRY(linear(at, Linear::k, w.k, w.k_bias, acts.h, all, nullptr, k));
    NAMESAKE_TRY(linear(at, Linear::v, w.v, w.v_bias, acts.h, all, nullptr, kept.v));
  }
  if (!config.qk_norm) return {};
  NAMESAKE_TRY(backend.rmsnorm_forward(q, w.q_norm, config.rms_eps, M * H, D, kept.q, kept.q_rstd));
  return backend.rmsnorm_forward(k, w.k_norm, config.rms_eps, M * G, D, kept.k, kept.k_rstd);
}

/// dh [M, C] (nullptr: not wanted) from acts.dq, dk, dv at the same place. Attention is done with kept.q and k by now.
Status Graph::qkv_backward(const At& at, float* dh) const {
  const Config& config = model_.config();
  const LayerWeights& w = model_.weights().layers[static_cast<std::size_t>(at.l)];
  Backend& backend = model_.backend();
  LayerActivations& kept = at.kept;
  Activations& acts = at.acts;
  const std::int64_t M = at.batch.tokens(), H = config.heads, G = config.kv_heads, D = config.head_dim;
  const Slice all{0, M};
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
    return linear_gradient(at, Linear::qkv, w.qkv, acts.h, acts.qkv, all, false, dh);
  }
  NAMESAKE_TRY(linear_gradient(at, Linear::q, w.q, acts.h, dq, all, false, dh));
  NAMESAKE_TRY(linear_gradient(at, Linear::k, w.k, acts.h, dk, all, true, dh));
  return linear_gradient(at, Linear::v, w.v, acts.h, acts.dv, all, true, dh);
}

Status Graph::round(const At& at, const float* x, std::int64_t n, std::uint16_t* rounded) const {
  return at.adapter_on && at.acts.rounds() ? model_.backend().to_bf16(x, n, rounded) : Status{};
}

Status Graph::widen(const At& at, const std::uint16_t* rounded, std::int64_t n, float* x) const {
  return at.acts.rounds() ? model_.backend().from_bf16(rounded, n, x) : Status{};
}

/// kept.x_mid from kept.x_in.
Status Graph::attention_half(const At& at) const {
  const Config& config = model_.config();
  const LayerWeights& w = model_.weights().layers[static_cast<std::size_t>(at.l)];
  Backend& backend = model_.backend();
  LayerActivations& kept = at.kept;
  Activations& acts = at.acts;
  const std::int64_t M = at.batch.tokens(), D = config.head_dim;
  NAMESAKE_TRY(backend.rmsnorm_forward(kept.x_in, w.attn_norm, config.rms_eps, M, config.hidden, acts.h, kept.attn_rstd));
  NAMESAKE_TRY(qkv_forward(at));
  NAMESAKE_TRY(backend.rope_forward(kept.q, acts.positions, model_.rope(), M, config.heads, D));
  NAMESAKE_TRY(backend.rope_forward(kept.k, acts.positions, model_.rope(), M, config.kv_heads, D));
  NAMESAKE_TRY(attend_forward(backend, config, at.batch, kept, acts));
  NAMESAKE_TRY(round(at, kept.attn, M * config.heads * D, kept.attn_bf16));
  return attention_output(at);
}

/// kept.x_mid [rows, C] from kept.attn and x_in.
Status Graph::attention_output(const At& at) const {
  const Config& config = model_.config();
  const LayerWeights& w = model_.weights().layers[static_cast<std::size_t>(at.l)];
  LayerActivations& kept = at.kept;
  if (!at.narrows()) return linear(at, Linear::o, w.o, nullptr, kept.attn, {0, at.rows}, kept.x_in, kept.x_mid);
  Backend& backend = model_.backend();
  float* attn = at.acts.wide_attn;  // free behind attention
  NAMESAKE_TRY(gather_rows(backend, at.batch.wanted, kept.attn, config.heads * config.head_dim, attn));
  NAMESAKE_TRY(gather_rows(backend, at.batch.wanted, kept.x_in, config.hidden, kept.x_mid));
  return linear(at, Linear::o, w.o, nullptr, attn, {0, at.rows}, kept.x_mid, kept.x_mid);
}

/// Gate and up of a slice, from acts.h.
Status Graph::gate_and_up(const At& at, const Slice& slice) const {
  const LayerWeights& w = model_.weights().layers[static_cast<std::size_t>(at.l)];
  const float* h = at.acts.h + slice.start * model_.config().hidden;
  const std::int64_t n = slice.count * model_.config().ffn;
  float *gate = at.acts.gate(at.l, slice.start), *up = at.acts.up(at.l, slice.start);
  NAMESAKE_TRY(linear(at, Linear::gate, w.gate, nullptr, h, slice, nullptr, gate));
  NAMESAKE_TRY(linear(at, Linear::up, w.up, nullptr, h, slice, nullptr, up));
  NAMESAKE_TRY(round(at, gate, n, at.acts.gate_bf16(at.l, slice.start)));
  return round(at, up, n, at.acts.up_bf16(at.l, slice.start));
}

/// x_out from kept.x_mid.
Status Graph::ffn_half(const At& at, float* x_out) const {
  const Config& config = model_.config();
  const LayerWeights& w = model_.weights().layers[static_cast<std::size_t>(at.l)];
  Backend& backend = model_.backend();
  LayerActivations& kept = at.kept;
  Activations& acts = at.acts;
  const std::int64_t M = at.rows, C = config.hidden;
  NAMESAKE_TRY(backend.rmsnorm_forward(kept.x_mid, w.ffn_norm, config.rms_eps, M, C, acts.h, kept.ffn_rstd));
  return for_each_slice<Slice>(M, [&](const Slice& slice) -> Status {
    NAMESAKE_TRY(gate_and_up(at, slice));
    NAMESAKE_TRY(backend.swiglu_forward(acts.gate(at.l, slice.start), acts.up(at.l, slice.start), slice.count * config.ffn, acts.act));
    const std::int64_t first = slice.start * C;
    return linear(at, Linear::down, w.down, nullptr, acts.act, slice, kept.x_mid + first, x_out + first);
  });
}

Status Graph::layers(std::int64_t from, std::int64_t to, const Packed& batch, bool adapter_on, Activations& acts) const {
  if (from == to) return {};
  const std::size_t bytes = static_cast<std::size_t>(batch.tokens()) * sizeof(std::int32_t);
  NAMESAKE_TRY(model_.backend().upload(acts.positions, batch.positions.data(), bytes));
  for (std::int64_t l = from; l < to; ++l) {
    NAMESAKE_TRY(attention_half(at(l, batch, adapter_on, acts)));
    NAMESAKE_TRY(ffn_half(at(l, batch, adapter_on, acts), acts.layer_output(l)));
  }
  return {};
}

Status Graph::trunk(const Packed& batch, Activations& acts) const {
  Backend& backend = model_.backend();
  NAMESAKE_TRY(backend.upload(acts.ids, batch.ids.data(), static_cast<std::size_t>(batch.tokens()) * sizeof(std::int32_t)));
  NAMESAKE_TRY(backend.embedding_forward(model_.weights().embedding, acts.ids, batch.tokens(), acts.layer(0).x_in));
  return layers(0, first_layer(), batch, false, acts);
}

Status Graph::branch(const Packed& batch, bool adapter_on, Activations& acts) const {
  return layers(first_layer(), model_.config().layers, batch, adapter_on, acts);
}

Status Graph::forward(const Packed& batch, bool adapter_on, Activations& acts) const {
  NAMESAKE_TRY(trunk(batch, acts));
  return branch(batch, adapter_on, acts);
}

/// acts.dx becomes the gradient at x_mid: the residual hands on the one at the layer's output.
Status Graph::ffn_half_backward(const At& at) const {
  const Config& config = model_.config();
  const LayerWeights& w = model_.weights().layers[static_cast<std::size_t>(at.l)];
  Backend& backend = model_.backend();
  LayerActivations& kept = at.kept;
  Activations& acts = at.acts;
  const std::int64_t M = at.rows, C = config.hidden;
  const bool again = acts.keeping().what == Keep::inputs;
  NAMESAKE_TRY(backend.rmsnorm_forward(kept.x_mid, w.ffn_norm, config.rms_eps, M, C, acts.h, kept.ffn_rstd));
  NAMESAKE_TRY(for_each_slice<Slice>(M, [&](const Slice& slice) -> Status {
    const std::int64_t first = slice.start * C, n = slice.count * config.ffn;
    float *gate = acts.gate(at.l, slice.start), *up = acts.up(at.l, slice.start);
    if (again) {
      NAMESAKE_TRY(gate_and_up(at, slice));
      // Of the last product the backward pass needs xa alone.
      NAMESAKE_TRY(backend.swiglu_forward(gate, up, n, acts.act));
      NAMESAKE_TRY(linear(at, Linear::down, w.down, nullptr, acts.act, slice, nullptr, nullptr));
    }
    NAMESAKE_TRY(widen(at, acts.gate_bf16(at.l, slice.start), n, gate));
    NAMESAKE_TRY(widen(at, acts.up_bf16(at.l, slice.start), n, up));
    if (!again || acts.rounds()) NAMESAKE_TRY(backend.swiglu_forward(gate, up, n, acts.act));
    NAMESAKE_TRY(linear_gradient(at, Linear::down, w.down, acts.act, acts.dx + first, slice, false, acts.dact));
    NAMESAKE_TRY(backend.swiglu_backward(acts.dact, gate, up, n, gate, up));
    NAMESAKE_TRY(linear_gradient(at, Linear::gate, w.gate, acts.h + first, gate, slice, false, acts.dh + first));
    return linear_gradient(at, Linear::up, w.up, acts.h + first, up, slice, true, acts.dh + first);
  }));
  return backend.rmsnorm_backward(acts.dh, kept.x_mid, w.ffn_norm, kept.ffn_rstd, M, C, acts.dx);
}

/// acts.dattn [M, H*D] from acts.dx [rows, C], the gradient at x_mid, which becomes that of the residual [M, C]: zero at rows that nobody
/// wants.
Status Graph::attention_output_backward(const At& at) const {
  const Config& config = model_.config();
  const LayerWeights& w = model_.weights().layers[static_cast<std::size_t>(at.l)];
  LayerActivations& kept = at.kept;
  Activations& acts = at.acts;
  if (!at.narrows()) return linear_gradient(at, Linear::o, w.o, kept.attn, acts.dx, {0, at.rows}, false, acts.dattn);
  Backend& backend = model_.backend();
  const std::vector<std::int32_t>& wanted = at.batch.wanted;
  const std::int64_t M = at.batch.tokens(), C = config.hidden, Q = config.heads * config.head_dim;
  // Free until attention's own backward pass: wide_attn, dq and h.
  NAMESAKE_TRY(gather_rows(backend, wanted, kept.attn, Q, acts.wide_attn));
  NAMESAKE_TRY(linear_gradient(at, Linear::o, w.o, acts.wide_attn, acts.dx, {0, at.rows}, false, acts.dq));
  NAMESAKE_TRY(backend.zero(acts.dattn, static_cast<std::size_t>(M * Q) * sizeof(float)));
  NAMESAKE_TRY(scatter_rows(backend, wanted, acts.dq, Q, acts.dattn));
  NAMESAKE_TRY(backend.copy(acts.h, acts.dx, static_cast<std::size_t>(at.rows * C) * sizeof(float)));
  NAMESAKE_TRY(backend.zero(acts.dx, static_cast<std::size_t>(M * C) * sizeof(float)));
  return scatter_rows(backend, wanted, acts.h, C, acts.dx);
}

/// acts.dx, the gradient at x_mid, becomes that at x_in, which below the lowest layer with factors nobody asks for.
Status Graph::attention_half_backward(const At& at) const {
  const Config& config = model_.config();
  const LayerWeights& w = model_.weights().layers[static_cast<std::size_t>(at.l)];
  Backend& backend = model_.backend();
  LayerActivations& kept = at.kept;
  Activations& acts = at.acts;
  const std::int64_t M = at.batch.tokens(), C = config.hidden, D = config.head_dim;
  NAMESAKE_TRY(widen(at, kept.attn_bf16, M * config.heads * D, kept.attn));
  NAMESAKE_TRY(attention_output_backward(at));
  NAMESAKE_TRY(attend_backward(backend, config, at.batch, kept, acts));
  NAMESAKE_TRY(backend.rope_backward(acts.dq, acts.positions, model_.rope(), M, config.heads, D));
  NAMESAKE_TRY(backend.rope_backward(acts.dk, acts.positions, model_.rope(), M, config.kv_heads, D));
  NAMESAKE_TRY(backend.rmsnorm_forward(kept.x_in, w.attn_norm, config.rms_eps, M, C, acts.h, nullptr));
  float* dh = at.l > first_layer() ? acts.dh : nullptr;
  NAMESAKE_TRY(qkv_backward(at, dh));
  if (!dh) return {};
  return backend.rmsnorm_backward(dh, kept.x_in, w.attn_norm, kept.attn_rstd, M, C, acts.dx);
}

Status Graph::backward(const Packed& batch, Activations& acts) const {
  const std::int64_t layers = model_.config().layers;
  for (std::int64_t l = layers; l-- > first_layer();) {
    const At here = at(l, batch, true, acts);
    // The same ops on the same input give the same bits. The last layer's attention is still that of the forward pass.
    if (acts.keeping().what == Keep::inputs && l + 1 < layers) NAMESAKE_TRY(attention_half(here));
    NAMESAKE_TRY(ffn_half_backward(here));
    NAMESAKE_TRY(attention_half_backward(here));
  }
  return {};
}

}  // namespace namesake
