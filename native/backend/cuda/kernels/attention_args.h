// Arguments of the kernels in kernels/attention_forward.cu and kernels/attention_backward.cu, as the host gives them. Letters as in
// backend/ops.h; all arrays are in the card's memory.
#pragma once

#include <cstdint>

namespace namesake::cuda {

/// Rows of queries, or of keys, that one block owns, and its threads: four warps of 16 rows each.
inline constexpr int kAttentionRows = 64;
inline constexpr int kAttentionThreads = 128;

/// The widest head. Kernels come in two widths, *_64 and *_128, and take any head size up to theirs: the rest are zeros.
inline constexpr std::int64_t kWidestHead = 128;

/// One item of work: up to kAttentionRows rows of one sequence, counted from that sequence's first row.
struct AttentionTile {
  std::int32_t begin;   ///< the sequence's first row in the batch
  std::int32_t length;  ///< of the sequence
  std::int32_t first;   ///< the tile's first row in the sequence, a multiple of kAttentionRows
};

/// What all kernels want to know.
struct AttentionSizes {
  const AttentionTile* tiles;  ///< block x owns tiles[x]
  std::int32_t heads, kv_heads, head_dim;
  std::int32_t first_head;     ///< block y owns head (of queries, or of keys) first_head + y
  std::int32_t causal;
  std::int32_t aligned;        ///< 1: every row of every array begins at a multiple of 16 bytes, and D is a multiple of 4
  float scale;                 ///< of scores; above 0
};

/// o [M, H, D] and lse [M, H] from q [M, H, D], k and v [M, G, D].
struct AttentionForwardArgs {
  AttentionSizes sizes;
  const float* q;
  const float* k;
  const float* v;
  float* o;
  float* lse;
};

/// What the backward kernels know of a row of one head.
struct alignas(8) AttentionRow {
  float lse;    ///< log2 of its softmax sum
  float delta;  ///< Σ do o: what the softmax takes off each gradient of a probability
};

/// rows, largest [H, M] from do_, o [M, H, D] and lse [M, H].
struct AttentionRowsArgs {
  const float* do_;
  const float* o;
  const float* lse;
  AttentionRow* rows;
  float* largest;  ///< largest |do_| of the row
  std::int64_t M;
  std::int32_t heads, head_dim;
};

/// Gradients. The kernels of keys write dk and dv [M, G, D], those of queries dq [M, H, D].
struct AttentionBackwardArgs {
  AttentionSizes sizes;
  const float* do_;
  const float* q;
  const float* k;
  const float* v;
  const AttentionRow* rows;  ///< [H, M]
  const float* largest;      ///< [H, M]
  float* dq;
  float* dk;
  float* dv;
  std::int64_t M;
};

}  // namespace namesake::cuda
