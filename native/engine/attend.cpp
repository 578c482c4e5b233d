#include "engine/attend.h"

#include <cmath>

namespace namesake {

namespace {

std::size_t bytes_of(std::int64_t rows, std::int64_t width) { return static_cast<std::size_t>(rows * width) * sizeof(float); }

AttentionShape shape_of(const Config& config) {
  return {config.heads, config.kv_heads, config.head_dim, true,
          static_cast<float>(1.0 / std::sqrt(static_cast<double>(config.head_dim)))};
}

/// to [E, width] = from [M, width] written out: the prefix in front of each sequence's own rows.
Status write_out(Backend& backend, const Packed& batch, const float* from, std::int64_t width, float* to) {
  for (std::int64_t s = 0; s < batch.sequences(); ++s) {
    const std::size_t i = static_cast<std::size_t>(s);
    float* begin = to + batch.cu_seqlens[i] * width;
    NAMESAKE_TRY(backend.copy(begin, from, bytes_of(batch.prefix, width)));
    NAMESAKE_TRY(backend.copy(begin + batch.prefix * width, from + batch.own[i] * width,
                              bytes_of(batch.own[i + 1] - batch.own[i], width)));
  }
  return {};
}

/// to [M, width] = own rows of from [E, width], and the prefix of the first sequence.
Status gather(Backend& backend, const Packed& batch, const float* from, std::int64_t width, float* to) {
  NAMESAKE_TRY(backend.copy(to, from, bytes_of(batch.prefix, width)));
  for (std::int64_t s = 0; s < batch.sequences(); ++s) {
    const std::size_t i = static_cast<std::size_t>(s);
    NAMESAKE_TRY(backend.copy(to + batch.own[i] * width, from + (batch.cu_seqlens[i] + batch.prefix) * width,
                              bytes_of(batch.own[i + 1] - batch.own[i], width)));
  }
  return {};
}

/// As gather, with the prefix rows of the other sequences added to those of the first, in order.
Status gather_sum(Backend& backend, const Packed& batch, const float* from, std::int64_t width, float* to) {
  NAMESAKE_TRY(gather(backend, batch, from, width, to));
  for (std::int64_t s = 1; s < batch.sequences(); ++s) {
    NAMESAKE_TRY(backend.add(from + batch.cu_seqlens[static_cast<std::size_t>(s)] * width, batch.prefix * width, to));
  }
  return {};
}

}  // namespace

Status attend_forward(Backend& backend, const Config& config, const Packed& batch, LayerActivations& kept, Activations& acts) {
  const std::int64_t Q = config.heads * config.head_dim, KV = config.kv_heads * config.head_dim;
  const std::int32_t* cu_seqlens = batch.cu_seqlens.data();
  if (batch.prefix == 0) {
    return backend.attention_forward(kept.q, kept.k, kept.v, cu_seqlens, batch.sequences(), shape_of(config), kept.attn,
                                     kept.lse);
  }
  NAMESAKE_TRY(write_out(backend, batch, kept.q, Q, acts.wide_q));
  NAMESAKE_TRY(write_out(backend, batch, kept.k, KV, acts.wide_k));
  NAMESAKE_TRY(write_out(backend, batch, kept.v, KV, acts.wide_v));
  NAMESAKE_TRY(backend.attention_forward(acts.wide_q, acts.wide_k, acts.wide_v, cu_seqlens, batch.sequences(),
                                         shape_of(config), acts.wide_attn, kept.lse));
  return gather(backend, batch, acts.wide_attn, Q, kept.attn);
}

Status attend_backward(Backend& backend, const Config& config, const Packed& batch, const LayerActivations& kept,
                       Activations& acts) {
  const std::int64_t Q = config.heads * config.head_dim, KV = config.kv_heads * config.head_dim;
  const std::int32_t* cu_seqlens = batch.cu_seqlens.data();
  if (batch.prefix == 0) {
    return backend.attention_backward(acts.dattn, kept.q, kept.k, kept.v, kept.attn, kept.lse, cu_seqlens, batch.sequences(),
                                      shape_of(config), acts.dq, acts.dk, acts.dv);
  }
  NAMESAKE_TRY(write_out(backend, batch, kept.q, Q, acts.wide_q));
  NAMESAKE_TRY(write_out(backend, batch, kept.k, KV, acts.wide_k));
  NAMESAKE_TRY(write_out(backend, batch, kept.v, KV, acts.wide_v));
  NAMESAKE_TRY(write_out(backend, batch, kept.attn, Q, acts.wide_attn));
  NAMESAKE_TRY(write_out(backend, batch, acts.dattn, Q, acts.wide_dattn));
  // The prefix's output was used once: its gradient stands in the first sequence alone.
  for (std::int64_t s = 1; s < batch.sequences(); ++s) {
    NAMESAKE_TRY(backend.zero(acts.wide_dattn + cu_seqlens[s] * Q, bytes_of(batch.prefix, Q)));
  }
  NAMESAKE_TRY(backend.attention_backward(acts.wide_dattn, acts.wide_q, acts.wide_k, acts.wide_v, acts.wide_attn, kept.lse,
                                          cu_seqlens, batch.sequences(), shape_of(config), acts.wide_dq, acts.wide_dk,
                                          acts.wide_dv));
  NAMESAKE_TRY(gather(backend, batch, acts.wide_dq, Q, acts.dq));
  NAMESAKE_TRY(gather_sum(backend, batch, acts.wide_dk, KV, acts.dk));
  return gather_sum(backend, batch, acts.wide_dv, KV, acts.dv);
}

}  // namespace namesake
