// DecodeGraph: the forward order of engine/graph.h over a KV cache, for rows of any mix of sequences.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

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
  /// What rows are of: of a prompt, or one new token of each sequence.
  enum class Part { prompt, answer };

  /// `tokens` is the phase by which new tokens are multiplied, and the head of prompts as well: its rows are few even there.
  DecodeGraph(const Model& model, Phase tokens) : model_(model), tokens_(tokens) {}

  /// Bytes for calls of up to `rows` rows, `wanted` of them with logits, and adapters up to `rank`.
  static std::size_t bytes(const Config& config, std::int64_t rows, std::int64_t wanted, std::int64_t rank);
  /// Uses `memory`, which has so many bytes.
  void place(float* memory, std::int64_t rows, std::int64_t wanted, std::int64_t rank);

  /// Stores keys and values of all rows and downloads logits [wanted, V]. `adapter` may be nullptr.
  Status forward(const DecodeRows& rows, const Adapter* adapter, const KvCache& cache, Part part, std::vector<float>& logits);

 private:
  /// Where everything lies that is not in the cache.
  struct Arrays {
    float* x = nullptr;           ///< [M, C] residual stream
    float* h = nullptr;           ///< [M, C] norm output
    float* qkv = nullptr;         ///< [M, (H + 2G)*D], nullptr without fused_qkv
    float* q = nullptr;           ///< [M, H*D]
    float* k = nullptr;           ///< [M, G*D]
    float* v = nullptr;           ///< [M, G*D]
    float* attn = nullptr;        ///< [M, H*D]
    float* gate = nullptr;        ///< [M, F]
    float* up = nullptr;          ///< [M, F]
    float* act = nullptr;         ///< [M, F] swiglu of gate and up
    float* xa = nullptr;          ///< [M, R]
    float* row_on = nullptr;      ///< [M]
    float* logits = nullptr;      ///< [wanted, V]
    std::int32_t* ids = nullptr;        ///< [M]
    std::int32_t* positions = nullptr;  ///< [M]

    /// Names every array once: take(pointer, count) for sizes and pointers alike.
    template <class Take>
    void plan(const Config& c, std::int64_t rows, std::int64_t wanted, std::int64_t rank, Take&& take);
  };

  struct Call;  // what is the same for all layers of one call
  Status layer(std::int64_t l, const Call& call);
  Status qkv(std::int64_t l, const Call& call);
  Status linear(std::int64_t l, Linear which, const Matrix& w, const float* bias, const float* x, const float* residual, float* y,
                const Call& call);
  Status head(const DecodeRows& rows, std::vector<float>& logits);

  const Model& model_;
  const Phase tokens_;
  Arrays at_;
};

}  // namespace namesake
