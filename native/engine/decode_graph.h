// DecodeGraph: the forward order of the Llama family over a KV cache, for rows of any mix of sequences.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/buffer.h"
#include "engine/kv_cache.h"
#include "namesake/model.h"

namespace namesake {

/// Rows to compute, in host memory. Rows of one sequence stand in the order of their positions; what came before is in the cache.
struct DecodeRows {
  std::vector<std::int32_t> ids;        ///< [M]
  std::vector<std::int32_t> slots;      ///< [M] of the cache
  std::vector<std::int32_t> positions;  ///< [M]
  std::vector<float> adapter_on;        ///< [M] 1 or 0
  std::vector<std::int64_t> wanted;     ///< rows whose logits are wanted, ascending

  std::int64_t size() const { return static_cast<std::int64_t>(ids.size()); }
  void add(std::int32_t id, std::int64_t slot, std::int64_t position, bool on) {
    ids.push_back(id);
    slots.push_back(static_cast<std::int32_t>(slot));
    positions.push_back(static_cast<std::int32_t>(position));
    adapter_on.push_back(on ? 1.0f : 0.0f);
  }
};

class DecodeGraph {
 public:
  explicit DecodeGraph(const Model& model) : model_(model), arena_(model.backend()) {}

  /// Scratch for calls of up to `rows` rows, `wanted` of them with logits, and adapters up to `rank`. memory.insufficient.
  Status reserve(std::int64_t rows, std::int64_t wanted, std::int64_t rank);

  /// Stores keys and values of all rows and downloads logits [wanted, V]. `adapter` may be nullptr. The head always sums in
  /// decode order: its rows are few even in a prompt.
  Status forward(const DecodeRows& rows, const Adapter* adapter, const KvCache& cache, Phase phase, std::vector<float>& logits);

 private:
  struct Call;  // what is the same for all layers of one call
  Status layer(std::int64_t l, const Call& call);
  Status linear(std::int64_t l, Linear which, const Matrix& w, const float* x, const float* residual, float* y, const Call& call);
  Status head(const DecodeRows& rows, std::vector<float>& logits);

  const Model& model_;
  Buffer arena_;
  float* x_ = nullptr;           // [M, C] residual stream
  float* h_ = nullptr;           // [M, C] norm output
  float* q_ = nullptr;           // [M, H*D]
  float* k_ = nullptr;           // [M, G*D]
  float* v_ = nullptr;           // [M, G*D]
  float* attn_ = nullptr;        // [M, H*D]
  float* gate_ = nullptr;        // [M, F]
  float* up_ = nullptr;          // [M, F]
  float* act_ = nullptr;         // [M, F] swiglu of gate and up
  float* xa_ = nullptr;          // [M, R]
  float* row_on_ = nullptr;      // [M]
  float* logits_ = nullptr;      // [wanted, V]
  std::int32_t* ids_ = nullptr;        // [M]
  std::int32_t* positions_ = nullptr;  // [M]
};

}  // namespace namesake
