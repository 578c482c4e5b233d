// Arguments of the rungs, as the host gives them. The forward pass of attention takes the product's own (kernels/attention_args.h).
#pragma once

#include "../backend/cuda/kernels/attention_args.h"
#include "../backend/cuda/kernels/blocks_args.h"

namespace namesake::cuda {

/// y [M, N] = x [M, K] Wᵀ, W [N, K] in nf4, so that K is a multiple of 64.
struct GemmRungArgs {
  BlockView w;
  const float* x;  ///< at 16 bytes
  float* y;
  std::int64_t M;
};

/// Gradients: the kernels of keys write dk and dv [M, G, D], those of queries dq [M, H, D]. lse [M, H] is natural, as ops.h has it.
struct AttentionBackwardRungArgs {
  AttentionSizes sizes;
  const float* do_;
  const float* q;
  const float* k;
  const float* v;
  const float* o;
  const float* lse;
  float* dq;
  float* dk;
  float* dv;
};

}  // namespace namesake::cuda
