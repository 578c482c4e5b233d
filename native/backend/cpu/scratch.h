// Scratch of the cpu backend's ops by their shapes: what an op reserves and what a plan counts are the same functions.
#pragma once

#include <algorithm>
#include <cstdint>

#include "backend/cpu/isa/kernels.h"
#include "backend/ops.h"

namespace namesake::cpu {

constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }
constexpr std::int64_t round_up(std::int64_t a, std::int64_t b) { return ceil_div(a, b) * b; }

/// Floats of one op: a buffer that all threads see, and one for each thread. Both start at cache lines.
struct ScratchNeed {
  std::int64_t shared = 0;
  std::int64_t thread = 0;

  std::int64_t shared_floats() const { return round_up(shared, 16); }
  std::int64_t thread_floats() const { return round_up(thread, 16); }
  std::int64_t floats(std::int64_t threads) const { return shared_floats() + threads * thread_floats(); }
};

/// Words of the depth that `values` values take in a packed operand.
inline std::int64_t packed_words(const Products& products, std::int64_t values) {
  return round_up(ceil_div(values, products.values), products.depth_step);
}

/// linear_forward, phase prefill, of a matrix [N, K].
ScratchNeed linear_forward_scratch(std::int64_t M, std::int64_t K, std::int64_t R, const Products& products);
/// linear_forward, phase decode.
ScratchNeed linear_decode_scratch(std::int64_t M, std::int64_t K, std::int64_t R);
ScratchNeed linear_backward_scratch(std::int64_t M, std::int64_t N, std::int64_t R, const Products& products);
/// M rows in sequences of at most T, in `tiles` pieces of 32 queries.
ScratchNeed attention_forward_scratch(std::int64_t M, std::int64_t T, std::int64_t tiles, const AttentionShape& shape);
ScratchNeed attention_backward_scratch(std::int64_t M, std::int64_t T, const AttentionShape& shape);
ScratchNeed attention_cached_scratch(std::int64_t keys);
ScratchNeed sum_of_squares_scratch(std::int64_t n);

constexpr std::int64_t kVocabularyPiece = 1024;  ///< logits that the head walks at a time
constexpr std::int64_t kSumPiece = 16384;        ///< values that one chain of a sum adds up

/// How head_loss cuts `active` rows with a weight, in groups of 32, and the floats of its buffers.
struct HeadBuffers {
  std::int64_t groups = 0;  ///< of all rows
  std::int64_t most = 0;    ///< groups at a time
  std::int64_t copies = 1;  ///< 2 with the base's logits
  std::int64_t pieces = 0;  ///< of the vocabulary
  std::int64_t depth = 0;   ///< rows of 32 floats of a group's logits: V, and the padding of what they are packed into
  std::int64_t inputs = 0, logits = 0, parts = 0, gradients = 0;

  HeadBuffers(std::int64_t active, bool compares, std::int64_t V, std::int64_t C, const Products& products);
  ScratchNeed need(std::int64_t C) const;
};

/// Floats that the largest op of `work` needs, with these products.
std::int64_t most_scratch(const Workload& work, std::int64_t threads, const Products& products);

}  // namespace namesake::cpu
