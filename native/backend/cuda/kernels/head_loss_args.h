// Arguments of the kernels in head_loss.cu, as the host gives them. All arrays are in the card's memory. Rows are those that have a
// weight, counted anew: first those that are compared with the base, then the others.
#pragma once

#include <cstdint>

#include "half_type.h"

namespace namesake::cuda {

/// Threads of a block of every kernel of this group.
inline constexpr int kHeadThreads = 256;

/// Logits that a thread of head_gradient turns into their gradient: 16 bytes of it.
inline constexpr int kHeadGradients = 8;

/// A row of the call and what it counts.
struct HeadRow {
  std::int32_t row;   ///< of the call's arrays
  float ce_weight;
  float kl_weight;    ///< 0 where it is not compared
  float gradient;     ///< power of two that the row's gradients are multiplied by before they are rounded to 16 bits
};

/// What a chunk of the vocabulary adds to a row's softmax. With top the largest of its logits: sum of exp(logit - top); of the base's
/// too; and `cross`, the sum of exp(base logit - base_top) (base logit - logit).
struct HeadPart {
  float top, sum;
  float base_top, base_sum, cross;
};

/// The softmax of a row: p = exp(logit - top) * inverse.
struct HeadSoftmax {
  float top, inverse;
  float base_top, base_inverse;
};

/// to [count, C] = rows `rows` of from [.., C], or the other way round.
struct HeadRowsArgs {
  const float* from;
  float* to;
  const HeadRow* rows;   ///< [count]
  std::int64_t C;
  std::int32_t aligned;  ///< 1: C is a multiple of 4, and both begin at multiples of 16 bytes
};

/// A chunk's part of each row's softmax.
struct HeadStatisticsArgs {
  const float* logits;         ///< [rows, ld], ld a multiple of kHeadGradients, beginning at a multiple of 16 bytes
  const float* base;           ///< [compared, ld], of the same kind
  std::int64_t ld;
  std::int64_t first, size;    ///< of the vocabulary
  const HeadRow* rows;
  std::int64_t compared;
  const std::int32_t* targets; ///< [M] of the call
  HeadPart* parts;             ///< [rows] out
  float* target_logits;        ///< [rows] out, where the target lies in this chunk
};

/// Joins the chunks: cross-entropy, KL, and what the gradient needs.
struct HeadLossesArgs {
  const HeadPart* parts;       ///< [chunks, count]
  std::int64_t chunks, count;
  const float* target_logits;  ///< [count]
  const HeadRow* rows;         ///< [count]
  HeadSoftmax* softmax;        ///< [count] out
  float* ce;                   ///< [M] of the call, out
  float* kl;                   ///< [M] of the call, out
};

/// The gradient of the weighted sum by a chunk's logits.
struct HeadGradientArgs {
  const float* logits;         ///< as in HeadStatisticsArgs
  const float* base;
  std::int64_t ld;
  std::int64_t first, size;
  const HeadRow* rows;
  std::int64_t compared;
  const std::int32_t* targets;
  const HeadSoftmax* softmax;  ///< [rows]
  Half* gradient;              ///< [rows, ld] out, times the row's power of two
};

}  // namespace namesake::cuda
