// Gemm: the matrix product on tensor cores that linear layers and the head are made of: 16-bit operands, sums in f32.
#pragma once

#include <cstdint>

#include "backend/cuda/kernels/half_type.h"
#include "namesake/status.h"

namespace namesake::cuda {

class CudaBackend;

/// How the operands of C [M, N] lie in memory, K being the depth that is summed over.
enum class Form {
  rows_rows,        ///< A [M, K], B [N, K]: y = x Wᵀ
  rows_columns,     ///< A [M, K], B [K, N]: dx = dy W
  columns_columns,  ///< A [K, M], B [K, N]: da = dybᵀ x
};

/// Which tile of C a block has: the same bits with either.
enum class GemmTile {
  by_size,  ///< the large one where it keeps a card busy
  large,    ///< 128 x 128, on sm_75 128 x 64
  small,    ///< 64 x 64
};

/// A pair of operands. Leading dimensions are those of half_stride(), in values; operands start at 16 bytes.
struct GemmOperands {
  const Half* a = nullptr;
  std::int64_t lda = 0;
  const Half* b = nullptr;
  std::int64_t ldb = 0;
  std::int64_t depth = 0;
  const float* row_factor = nullptr;  ///< [M] out of round_rows, nullptr = 1; columns_columns takes none
};

/// C [m, n] = scale * (row_factor[m] * (A B)[m, n] + the same of the second pair) + bias[n] + residual[m, n].
/// One order of sums for each element of C, whatever M, N and the tile are: the first pair from depth 0 up, then the second. Both
/// pairs have row factors or neither has.
struct Gemm {
  Form form = Form::rows_rows;
  std::int64_t M = 0, N = 0;
  GemmOperands first = {}, second = {};  ///< second.depth = 0: there is none
  float scale = 1;
  const float* bias = nullptr;       ///< [N]
  const float* residual = nullptr;   ///< [M, N] with ldc; may be c itself, which is how products are added up
  float* c = nullptr;
  std::int64_t ldc = 0;
  GemmTile tile = GemmTile::by_size;
};

/// Depth that one piece of a split product adds up.
inline constexpr std::int64_t kPieceDepth = 512;

/// Floats of scratch that split_gemm takes.
std::int64_t split_gemm_floats(std::int64_t M, std::int64_t N, std::int64_t depth);

/// Queues the product, in several launches where one would take too long (CudaBackend::set_launch_flop). M, N and depths may be anything,
/// 0 too (depth 0 leaves bias and residual).
Status gemm(CudaBackend& backend, const Gemm& product);

/// The same for a small C and a great depth: pieces of kPieceDepth are summed by blocks of their own, then added up in order. No second
/// pair, no bias; ldc = N. `factor`: of round_together, multiplies the sum; nullptr = 1. `pieces`: split_gemm_floats() of scratch. A depth
/// of 0 leaves C as it is.
Status split_gemm(CudaBackend& backend, const Gemm& product, const float* factor, float* pieces);

}  // namespace namesake::cuda
