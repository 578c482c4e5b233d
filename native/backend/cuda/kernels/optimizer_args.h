// Arguments of the kernels in optimizer.cu, as the host gives them. All arrays are in the card's memory.
#pragma once

#include <cstdint>

namespace namesake::cuda {

/// Threads of a block of every kernel of this group.
inline constexpr int kOptimizerThreads = 256;

/// Values that a block of sum_of_squares adds up. With the tree inside a block it is part of the order of the sum.
inline constexpr std::int64_t kSumPiece = 16384;

/// sums [n / kSumPiece, rounded up] = sum of squares of each piece of x [n], in f64.
struct SumOfSquaresArgs {
  const float* x;
  double* sums;
  std::int64_t n;
  std::int32_t aligned;  ///< 1: x begins at a multiple of 16 bytes, and n is a multiple of 4
};

/// *sum = the sum of n values, in f64.
struct SumArgs {
  const double* values;
  double* sum;
  std::int64_t n;
};

/// What a step of AdamW depends on beside its values; worked out by the host.
struct AdamWStep {
  float beta1, beta2;
  float rest1, rest2;   ///< 1 - beta
  float step_size;      ///< lr / (1 - beta1^step)
  float root_scale;     ///< 1 / sqrt(1 - beta2^step)
  float eps;
  float keep;           ///< 1 - lr weight_decay
  float grad_scale;
};

/// One step of AdamW on n values.
struct AdamWArgs {
  const float* grad;
  float* value;
  float* m;
  float* v;
  std::int64_t n;
  AdamWStep step;
  std::int32_t aligned;  ///< 1: all begin at multiples of 16 bytes, and n is a multiple of 4
};

/// Values of one absmax of a moment in 8 bits, which one warp works on.
inline constexpr int kMomentBlock = 256;

/// The same with moments in 8 bits: codes [n], absmax [n / kMomentBlock, rounded up].
struct AdamW8BitArgs {
  const float* grad;
  float* value;
  std::uint8_t* m_codes;
  float* m_absmax;
  std::uint8_t* v_codes;
  float* v_absmax;
  std::int64_t n;
  AdamWStep step;
  std::int32_t aligned;  ///< 1: grad and value begin at multiples of 16 bytes, codes at multiples of 4, and n is a multiple of 4
};

}  // namespace namesake::cuda
