// See engine/decode_graph.h.
#include "engine/decode_graph.h"

#include <algorithm>
#include <cmath>
#include <type_traits>

namespace namesake {

struct DecodeGraph::Call {
  std::int64_t M;
  const DecodeRows& rows;
  const Adapter* adapter;   // nullptr if it is off in all rows
  const float* row_on;      // nullptr if it is on in all rows
  const KvCache& cache;
  Phase phase;
};

template <class Take>
void DecodeGraph::Arrays::plan(const Config& c, std::int64_t rows, std::int64_t wanted, std::int64_t rank, Take&& take) {
  const std::int64_t H = c.heads * c.head_dim, G = c.kv_heads * c.head_dim;
  take(x, rows * c.hidden);
  take(h, rows * c.hidden);
  if (c.fused_qkv) take(qkv, rows * (H + 2 * G));
  take(q, rows * H);
  take(k, rows * G);
  take(v, rows * G);
  take(attn, rows * H);
  take(gate, rows * c.ffn);
  take(up, rows * c.ffn);
  take(act, rows * c.ffn);
  take(xa, rows * rank);
  take(row_on, rows);
  take(logits, wanted * c.vocab);
  take(ids, rows);
  take(positions, rows);
}

namespace {
constexpr std::int64_t padded(std::int64_t floats) { return (floats + 15) / 16 * 16; }  // each array starts at a cache line
}

std::size_t DecodeGraph::bytes(const Config& config, std::int64_t rows, std::int64_t wanted, std::int64_t rank) {
  std::int64_t floats = 0;
  Arrays().plan(config, rows, wanted, rank, [&](auto*&, std::int64_t n) { floats += padded(n); });
  return static_cast<std::size_t>(floats) * sizeof(float);
}

void DecodeGraph::place(float* memory, std::int64_t rows, std::int64_t wanted, std::int64_t rank) {
  at_.plan(model_.config(), rows, wanted, rank, [&](auto*& pointer, std::int64_t n) {
    static_assert(sizeof *pointer == sizeof(float));
    pointer = reinterpret_cast<std::remove_reference_t<decltype(pointer)>>(memory);
    memory += padded(n);
  });
}

Status DecodeGraph::linear(std::int64_t l, Linear which, const Matrix& w, const float* bias, const float* x, const float* residual,
                           float* y, const Call& call) {
  Backend& backend = model_.backend();
  if (!call.adapter || l < call.adapter->shape().first_layer) return backend.linear_forward(w, bias, nullptr, x, call.M, residual, y, nullptr, call.phase);
  LoraView lora = call.adapter->view(l, which);
  lora.row_on = call.row_on;
  return backend.linear_forward(w, bias, &lora, x, call.M, residual, y, at_.xa, call.phase);
}

/// q, k and v of the rows, before rope.
Status DecodeGraph::qkv(std::int64_t l, const Call& call) {
  const Config& config = model_.config();
  const LayerWeights& w = model_.weights().layers[static_cast<std::size_t>(l)];
  Backend& backend = model_.backend();
  const std::int64_t M = call.M, H = config.heads, G = config.kv_heads, D = config.head_dim;
  if (config.fused_qkv) {
    NAMESAKE_TRY(linear(l, Linear::qkv, w.qkv, nullptr, at_.h, nullptr, at_.qkv, call));
    NAMESAKE_TRY(backend.split_qkv(at_.qkv, M, H, G, D, at_.q, at_.k, at_.v));
  } else {
    NAMESAKE_TRY(linear(l, Linear::q, w.q, w.q_bias, at_.h, nullptr, at_.q, call));
    NAMESAKE_TRY(linear(l, Linear::k, w.k, w.k_bias, at_.h, nullptr, at_.k, call));
    NAMESAKE_TRY(linear(l, Linear::v, w.v, w.v_bias, at_.h, nullptr, at_.v, call));
  }
  if (!config.qk_norm) return {};
  NAMESAKE_TRY(backend.rmsnorm_forward(at_.q, w.q_norm, config.rms_eps, M * H, D, at_.q, nullptr));
  return backend.rmsnorm_forward(at_.k, w.k_norm, config.rms_eps, M * G, D, at_.k, nullptr);
}

Status DecodeGraph::layer(std::int64_t l, const Call& call) {
  const Config& config = model_.config();
  const LayerWeights& w = model_.weights().layers[static_cast<std::size_t>(l)];
  Backend& backend = model_.backend();
  const std::int64_t M = call.M, C = config.hidden, D = config.head_dim;
  const AttentionShape shape{config.heads, config.kv_heads, D, true, static_cast<float>(1 / std::sqrt(static_cast<double>(D)))};
  const std::int32_t *slots = call.rows.slots.data(), *positions = call.rows.positions.data();

  NAMESAKE_TRY(backend.rmsnorm_forward(at_.x, w.attn_norm, config.rms_eps, M, C, at_.h, nullptr));
  NAMESAKE_TRY(qkv(l, call));
  NAMESAKE_TRY(backend.rope_forward(at_.q, at_.positions, model_.rope(), M, config.heads, D));
  NAMESAKE_TRY(backend.rope_forward(at_.k, at_.positions, model_.rope(), M, config.kv_heads, D));
  NAMESAKE_TRY(backend.kv_write(at_.k, at_.v, slots, positions, M, config.kv_heads, D, call.cache.layer(l)));
  NAMESAKE_TRY(backend.attention_cached(at_.q, slots, positions, M, shape, call.cache.layer(l), at_.attn));
  NAMESAKE_TRY(linear(l, Linear::o, w.o, nullptr, at_.attn, at_.x, at_.x, call));

  NAMESAKE_TRY(backend.rmsnorm_forward(at_.x, w.ffn_norm, config.rms_eps, M, C, at_.h, nullptr));
  NAMESAKE_TRY(linear(l, Linear::gate, w.gate, nullptr, at_.h, nullptr, at_.gate, call));
  NAMESAKE_TRY(linear(l, Linear::up, w.up, nullptr, at_.h, nullptr, at_.up, call));
  NAMESAKE_TRY(backend.swiglu_forward(at_.gate, at_.up, M * config.ffn, at_.act));
  return linear(l, Linear::down, w.down, nullptr, at_.act, at_.x, at_.x, call);
}

Status DecodeGraph::head(const DecodeRows& rows, std::vector<float>& logits) {
  const Config& config = model_.config();
  Backend& backend = model_.backend();
  const std::int64_t count = static_cast<std::int64_t>(rows.wanted.size()), C = config.hidden;
  logits.resize(static_cast<std::size_t>(count * config.vocab));
  if (count == 0) return {};
  // The wanted rows move to the front; they are in ascending order, so none is overwritten before it is read.
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t from = rows.wanted[static_cast<std::size_t>(i)];
    if (from != i) NAMESAKE_TRY(backend.copy(at_.x + i * C, at_.x + from * C, static_cast<std::size_t>(C) * sizeof(float)));
  }
  NAMESAKE_TRY(backend.rmsnorm_forward(at_.x, model_.weights().output_norm, config.rms_eps, count, C, at_.h, nullptr));
  NAMESAKE_TRY(backend.linear_forward(model_.weights().head, nullptr, nullptr, at_.h, count, nullptr, at_.logits, nullptr, tokens_));
  return backend.download(logits.data(), at_.logits, logits.size() * sizeof(float));
}

Status DecodeGraph::forward(const DecodeRows& rows, const Adapter* adapter, const KvCache& cache, Part part,
                            std::vector<float>& logits) {
  Backend& backend = model_.backend();
  const std::int64_t M = rows.size();
  const std::size_t bytes = static_cast<std::size_t>(M) * sizeof(float);
  const auto on = std::count(rows.adapter_on.begin(), rows.adapter_on.end(), 1.0f);
  const bool mixed = on != 0 && on != M;
  if (mixed) NAMESAKE_TRY(backend.upload(at_.row_on, rows.adapter_on.data(), bytes));
  NAMESAKE_TRY(backend.upload(at_.ids, rows.ids.data(), bytes));
  NAMESAKE_TRY(backend.upload(at_.positions, rows.positions.data(), bytes));
  NAMESAKE_TRY(backend.embedding_forward(model_.weights().embedding, at_.ids, M, at_.x));
  const Call call{M, rows, on ? adapter : nullptr, mixed ? at_.row_on : nullptr, cache, part == Part::prompt ? Phase::prefill : tokens_};
  for (std::int64_t l = 0; l < model_.config().layers; ++l) NAMESAKE_TRY(layer(l, call));
  return head(rows, logits);
}

}  // namespace namesake
