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

Status DecodeGraph::reserve(std::int64_t rows, std::int64_t wanted, std::int64_t rank) {
  const Config& c = model_.config();
  const std::int64_t H = c.heads * c.head_dim, G = c.kv_heads * c.head_dim;
  std::int64_t floats = 0;
  // Once to count, once to hand out; each array starts at a cache line.
  const auto plan = [&](float* base) {
    floats = 0;
    const auto take = [&](auto& pointer, std::int64_t n) {
      static_assert(sizeof *pointer == sizeof(float));
      if (base) pointer = reinterpret_cast<std::remove_reference_t<decltype(pointer)>>(base + floats);
      floats += (n + 15) / 16 * 16;
    };
    take(x_, rows * c.hidden);
    take(h_, rows * c.hidden);
    take(q_, rows * H);
    take(k_, rows * G);
    take(v_, rows * G);
    take(attn_, rows * H);
    take(gate_, rows * c.ffn);
    take(up_, rows * c.ffn);
    take(act_, rows * c.ffn);
    take(xa_, rows * rank);
    take(row_on_, rows);
    take(logits_, wanted * c.vocab);
    take(ids_, rows);
    take(positions_, rows);
  };
  plan(nullptr);
  NAMESAKE_TRY(arena_.reserve(static_cast<std::size_t>(floats) * sizeof(float)));
  plan(arena_.floats());
  return {};
}

Status DecodeGraph::linear(std::int64_t l, Linear which, const Matrix& w, const float* x, const float* residual, float* y,
                           const Call& call) {
  Backend& backend = model_.backend();
  if (!call.adapter) return backend.linear_forward(w, nullptr, nullptr, x, call.M, residual, y, nullptr, call.phase);
  LoraView lora = call.adapter->view(l, which);
  lora.row_on = call.row_on;
  return backend.linear_forward(w, nullptr, &lora, x, call.M, residual, y, xa_, call.phase);
}

Status DecodeGraph::layer(std::int64_t l, const Call& call) {
  const Config& config = model_.config();
  const LayerWeights& w = model_.weights().layers[static_cast<std::size_t>(l)];
  Backend& backend = model_.backend();
  const std::int64_t M = call.M, C = config.hidden, D = config.head_dim;
  const AttentionShape shape{config.heads, config.kv_heads, D, true, static_cast<float>(1 / std::sqrt(static_cast<double>(D)))};
  const std::int32_t *slots = call.rows.slots.data(), *positions = call.rows.positions.data();

  NAMESAKE_TRY(backend.rmsnorm_forward(x_, w.attn_norm, config.rms_eps, M, C, h_, nullptr));
  NAMESAKE_TRY(linear(l, Linear::q, w.q, h_, nullptr, q_, call));
  NAMESAKE_TRY(linear(l, Linear::k, w.k, h_, nullptr, k_, call));
  NAMESAKE_TRY(linear(l, Linear::v, w.v, h_, nullptr, v_, call));
  NAMESAKE_TRY(backend.rope_forward(q_, positions_, model_.rope(), M, config.heads, D));
  NAMESAKE_TRY(backend.rope_forward(k_, positions_, model_.rope(), M, config.kv_heads, D));
  NAMESAKE_TRY(backend.kv_write(k_, v_, slots, positions, M, config.kv_heads, D, call.cache.layer(l)));
  NAMESAKE_TRY(backend.attention_cached(q_, slots, positions, M, shape, call.cache.layer(l), attn_));
  NAMESAKE_TRY(linear(l, Linear::o, w.o, attn_, x_, x_, call));

  NAMESAKE_TRY(backend.rmsnorm_forward(x_, w.ffn_norm, config.rms_eps, M, C, h_, nullptr));
  NAMESAKE_TRY(linear(l, Linear::gate, w.gate, h_, nullptr, gate_, call));
  NAMESAKE_TRY(linear(l, Linear::up, w.up, h_, nullptr, up_, call));
  NAMESAKE_TRY(backend.swiglu_forward(gate_, up_, M * config.ffn, act_));
  return linear(l, Linear::down, w.down, act_, x_, x_, call);
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
    if (from != i) NAMESAKE_TRY(backend.copy(x_ + i * C, x_ + from * C, static_cast<std::size_t>(C) * sizeof(float)));
  }
  NAMESAKE_TRY(backend.rmsnorm_forward(x_, model_.weights().output_norm, config.rms_eps, count, C, h_, nullptr));
  NAMESAKE_TRY(backend.linear_forward(model_.weights().head, nullptr, nullptr, h_, count, nullptr, logits_, nullptr, Phase::decode));
  return backend.download(logits.data(), logits_, logits.size() * sizeof(float));
}

Status DecodeGraph::forward(const DecodeRows& rows, const Adapter* adapter, const KvCache& cache, Phase phase,
                            std::vector<float>& logits) {
  Backend& backend = model_.backend();
  const std::int64_t M = rows.size();
  const std::size_t bytes = static_cast<std::size_t>(M) * sizeof(float);
  const auto on = std::count(rows.adapter_on.begin(), rows.adapter_on.end(), 1.0f);
  const bool mixed = on != 0 && on != M;
  if (mixed) NAMESAKE_TRY(backend.upload(row_on_, rows.adapter_on.data(), bytes));
  NAMESAKE_TRY(backend.upload(ids_, rows.ids.data(), bytes));
  NAMESAKE_TRY(backend.upload(positions_, rows.positions.data(), bytes));
  NAMESAKE_TRY(backend.embedding_forward(model_.weights().embedding, ids_, M, x_));
  const Call call{M, rows, on ? adapter : nullptr, mixed ? row_on_ : nullptr, cache, phase};
  for (std::int64_t l = 0; l < model_.config().layers; ++l) NAMESAKE_TRY(layer(l, call));
  return head(rows, logits);
}

}  // namespace namesake
