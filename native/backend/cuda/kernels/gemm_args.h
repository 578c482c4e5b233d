// Arguments of kernels/gemm.cu.
#pragma once

#include <cstdint>

#include "half_type.h"

namespace namesake::cuda {

/// See GemmOperands in gemm.h.
struct GemmPair {
  const Half* a;
  std::int64_t lda;
  const Half* b;
  std::int64_t ldb;
  std::int64_t depth;
  const float* row_factor;  ///< [M] or nullptr
};

/// See Gemm in gemm.h.
struct GemmArgs {
  std::int64_t M, N;
  GemmPair first, second;
  std::int64_t piece;        ///< depth of the first pair that a piece sums
  std::int64_t first_piece;  ///< blockIdx.y = p sums piece first_piece + p into c + p * M * ldc
  float scale;
  const float* bias;      ///< [N] or nullptr
  const float* residual;  ///< [M, N] with ldc, or nullptr; may be c
  float* c;
  std::int64_t ldc;
  std::int32_t in_pairs;  ///< whether two neighbours of c, bias and residual can be moved at once: ldc even, all at 8 bytes
};

}  // namespace namesake::cuda
