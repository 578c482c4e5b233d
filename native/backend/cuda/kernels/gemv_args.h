// Arguments of kernels/gemv.cu.
#pragma once

#include "blocks_args.h"

namespace namesake::cuda {

/// y [M, N] = x [M, K] Wᵀ + bias + (scale * row_on * xa [M, R]) Bᵀ + residual, in f32.
struct GemvArgs {
  BlockView w;  ///< [N, K]
  std::int64_t M;
  const float* x;
  const float* bias;      ///< [N] or nullptr
  const float* xa;        ///< [M, R]
  const float* b;         ///< [N, R]
  std::int64_t R;         ///< 0 = no adapter
  float scale;
  const float* row_on;    ///< [M] or nullptr
  const float* residual;  ///< [M, N] or nullptr; may be y
  float* y;
};

}  // namespace namesake::cuda
