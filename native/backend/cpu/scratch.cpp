#include "backend/cpu/scratch.h"

namespace namesake::cpu {

namespace {
constexpr std::int64_t kLogitsBytes = std::int64_t{32} << 20;  // for all groups of a chunk, base included; at least one group
}

ScratchNeed linear_forward_scratch(std::int64_t M, std::int64_t K, std::int64_t R, const Products& products) {
  const std::int64_t words = packed_words(products, K), depth = words + packed_words(products, R);
  // A tile's rows of xa lie where a panel comes later.
  return {M * depth + ceil_div(R, kPanel) * words * kPanel, std::max(depth * kPanel, products.tile_rows * R)};
}

ScratchNeed linear_decode_scratch(std::int64_t M, std::int64_t K, std::int64_t R) {
  const std::int64_t padded = round_up(K, kPanel);
  return {M * R + (padded == K ? 0 : M * padded), 4 * padded};
}

ScratchNeed linear_backward_scratch(std::int64_t M, std::int64_t N, std::int64_t R, const Products& products) {
  const std::int64_t words = packed_words(products, N), depth = words + packed_words(products, R);
  // The kernels may read one panel past the last row of dyb and xs: those lanes are not stored.
  return {M * depth + ceil_div(R, kPanel) * words * kPanel + 2 * (M * R + kPanel), std::max(depth, M) * kPanel};
}

ScratchNeed attention_forward_scratch(std::int64_t M, std::int64_t T, std::int64_t tiles, const AttentionShape& shape) {
  const std::int64_t padded = round_up(shape.head_dim, kPanel);
  return {M * shape.kv_heads * (shape.head_dim + padded) + 2 * tiles, (T + padded) * kPanel};
}

ScratchNeed attention_backward_scratch(std::int64_t M, std::int64_t T, const AttentionShape& shape) {
  const std::int64_t D = shape.head_dim, padded = round_up(D, kPanel);
  return {M * shape.kv_heads * (2 * D + padded) + 2 * M * shape.heads * D, (2 * T + 4 * padded) * kPanel};
}

ScratchNeed attention_cached_scratch(std::int64_t keys) { return {0, kHeadsTogether * round_up(keys, 16)}; }

ScratchNeed sum_of_squares_scratch(std::int64_t n) { return {2 * ceil_div(n, kSumPiece), 0}; }

HeadBuffers::HeadBuffers(std::int64_t active, bool compares, std::int64_t V, std::int64_t C, const Products& products)
    : groups(ceil_div(active, kPanel)), copies(compares ? 2 : 1), pieces(ceil_div(V, kVocabularyPiece)),
      depth(packed_words(products, V) * products.values) {
  most = std::clamp<std::int64_t>(kLogitsBytes / (depth * kPanel * copies * 4), 1, std::max<std::int64_t>(1, groups));
  inputs = most * packed_words(products, C) * kPanel;
  logits = most * depth * kPanel;
  parts = most * pieces * kPanel;
  gradients = most * C * kPanel;
}

ScratchNeed HeadBuffers::need(std::int64_t C) const {
  return {groups * kPanel + copies * (inputs + logits + 2 * parts) + (2 * copies + 3) * most * kPanel + parts + gradients,
          kPanel * std::max(C, kVocabularyPiece)};
}

std::int64_t most_scratch(const Workload& w, std::int64_t threads, const Products& products) {
  std::int64_t most = 0;
  const auto count = [&](const ScratchNeed& need) { most = std::max(most, need.floats(threads)); };
  const std::int64_t Q = w.heads * w.head_dim, KV = w.kv_heads * w.head_dim;
  const AttentionShape shape{w.heads, w.kv_heads, w.head_dim, true, 0};
  const std::int64_t matrices[][3] = {{w.rows, Q, w.hidden}, {w.rows, KV, w.hidden}, {w.rows, w.hidden, Q}, {w.ffn_rows, w.ffn, w.hidden},
                                     {w.ffn_rows, w.hidden, w.ffn}, {w.rows, w.fused_qkv ? Q + 2 * KV : 0, w.hidden}};
  for (const auto& [M, N, K] : matrices) {
    count(linear_forward_scratch(M, K, w.rank, products));
    if (w.backward) {
      count(linear_backward_scratch(M, N, w.rank, products));
      count(sum_of_squares_scratch(std::max(N, K) * w.rank));
    }
    if (w.cached_keys > 0) count(linear_decode_scratch(M, K, w.rank));
  }
  if (w.cached_keys > 0) {
    count(attention_cached_scratch(w.cached_keys));
    count(linear_decode_scratch(w.logit_rows, w.hidden, 0));
  } else {
    count(attention_forward_scratch(w.rows, w.sequence, w.rows, shape));  // a sequence has at least one row
    count(linear_forward_scratch(w.logit_rows, w.hidden, 0, products));
  }
  if (w.backward) count(attention_backward_scratch(w.rows, w.sequence, shape));
  if (w.loss_rows > 0) {
    // Where no row is compared the groups are more: both ways are counted.
    count(HeadBuffers(w.loss_rows, false, w.vocab, w.hidden, products).need(w.hidden));
    if (w.compares) count(HeadBuffers(w.loss_rows, true, w.vocab, w.hidden, products).need(w.hidden));
  }
  return most;
}

}  // namespace namesake::cpu
