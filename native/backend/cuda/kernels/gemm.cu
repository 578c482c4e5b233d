// The matrix product on tensor cores: C [M, N] = A B (+ A1 B1) in one chain of f32 sums for each element, from depth 0 up, with what a
// linear layer puts behind it. See gemm.h for the forms of the operands.
//
// A block of kWarpsM x kWarpsN warps owns a tile of C in registers. A step of depth 32 of both operands is copied to shared memory while
// earlier steps are multiplied: three stages by cp.async, or two by registers where there is none. The second pair's steps
// follow the first's without a gap. Both tiles walk the depth in the same steps, so that their results are the same bits.
//
// Grid: x = tiles of C; y = pieces of depth. Tiles go in groups of kGroup tiles of rows, column by column within a group: blocks that
// run at once read few rows of either operand, which the second-level cache then has. Block: 32 * kWarpsM * kWarpsN threads.
#include "gemm_args.h"
#include "gemm_operand.cuh"
#include "power.cuh"

namespace namesake::cuda {

inline constexpr int kStages = kAsyncCopies ? 3 : 2;
inline constexpr unsigned kGroup = 16;

// Without asynchronous copies a step on its way takes registers, which 64 x 32 sums of a warp do not leave.
inline constexpr int kLargeRows = 128, kLargeCols = kAsyncCopies ? 128 : 64, kLargeWarpRows = kAsyncCopies ? 64 : 32;

/// Which tile of C this block has.
struct TilePlace {
  int row, col;

  __device__ __forceinline__ TilePlace(const GemmArgs& args, int tile_m, int tile_n) {
    const unsigned down = static_cast<unsigned>((args.M + tile_m - 1) / tile_m), across = static_cast<unsigned>((args.N + tile_n - 1) / tile_n);
    const unsigned group = blockIdx.x / (kGroup * across), in_group = blockIdx.x - group * kGroup * across;
    const unsigned height = down - group * kGroup < kGroup ? down - group * kGroup : kGroup;
    row = static_cast<int>(group * kGroup + in_group % height) * tile_m;
    col = static_cast<int>(in_group / height) * tile_n;
  }
};

template <bool kAAcross, bool kBAcross, int kWarpsM, int kWarpsN, int kWarpRows, int kWarpCols>
__device__ __forceinline__ void multiply(const GemmArgs& args) {
  constexpr int kThreads = 32 * kWarpsM * kWarpsN, kRows = kWarpsM * kWarpRows, kCols = kWarpsN * kWarpCols;
  constexpr int kM = kWarpRows / 16, kN = kWarpCols / 8;  // products of a warp
  constexpr bool kRowFactors = !kAAcross;  // what is summed over rows has one factor for all (round_together)
  using TileA = OperandTile<kAAcross, kRows, kThreads>;
  using TileB = OperandTile<kBAcross, kCols, kThreads>;
  constexpr int kStage = TileA::kChunks + TileB::kChunks;
  __shared__ __align__(128) uint4 stages[kStages * kStage];

  const TilePlace at(args, kRows, kCols);
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int warp_row = warp / kWarpsN * kWarpRows, warp_col = warp % kWarpsN * kWarpCols;
  const std::int64_t from = (args.first_piece + blockIdx.y) * args.piece, to = args.first.depth - from < args.piece ? args.first.depth : from + args.piece;
  const int first_steps = static_cast<int>((to - from + kStepDepth - 1) / kStepDepth);
  const int steps = first_steps + static_cast<int>((args.second.depth + kStepDepth - 1) / kStepDepth);

  TileA a;
  TileB b;
  a.start(args.first.a, args.first.lda, at.row, args.M, from);
  b.start(args.first.b, args.first.ldb, at.col, args.N, from);
  int left = static_cast<int>(to - from);  // depth of the pair that is not yet fetched
  int fetched = 0, multiplied = 0;  // where the stage of the next step is: step % kStages * kStage
  const auto fetch = [&](int step) {
    if (step == first_steps) {
      a.start(args.second.a, args.second.lda, at.row, args.M, 0);
      b.start(args.second.b, args.second.ldb, at.col, args.N, 0);
      left = static_cast<int>(args.second.depth);
    }
    uint4* stage = stages + fetched;
    fetched = fetched == (kStages - 1) * kStage ? 0 : fetched + kStage;
    a.fetch(stage, left);
    b.fetch(stage + TileA::kChunks, left);
    left -= kStepDepth;
  };
  const auto put = [&](int step) {
    uint4* stage = stages + step % kStages * kStage;
    a.put(stage);
    b.put(stage + TileA::kChunks);
  };

  float sums[kM][kN][4] = {};
  const auto multiply_step = [&] {
    const unsigned stage_a = shared_address(stages + multiplied), stage_b = stage_a + TileA::kChunks * 16;
    multiplied = multiplied == (kStages - 1) * kStage ? 0 : multiplied + kStage;
#pragma unroll
    for (int depth = 0; depth < kStepDepth; depth += kMmaK) {
      unsigned fb[kN / kTilesB][4];
#pragma unroll
      for (int n = 0; n < kN / kTilesB; ++n) TileB::template fragments<false>(stage_b, warp_col + n * 8 * kTilesB, depth, fb[n]);
#pragma unroll
      for (int m = 0; m < kM; m += kTilesA) {
        unsigned fa[4];
        TileA::template fragments<true>(stage_a, warp_row + m * 16, depth, fa);
#pragma unroll
        for (int i = 0; i < kTilesA; ++i) {
#pragma unroll
          for (int n = 0; n < kN; ++n) mma_of(sums[m + i][n], fa, i, fb[n / kTilesB], n % kTilesB);
        }
      }
    }
  };
  const int last_row = static_cast<int>(args.M) - 1;
  const auto row_of = [&](int m, int half) { return at.row + warp_row + m * 16 + half * 8 + lane / 4; };

#pragma unroll
  for (int step = 0; step < kStages - 1; ++step) {
    if (step < steps) {
      fetch(step);
      put(step);
    }
    copies_committed();
  }
  for (int step = 0; step < steps; ++step) {
    if constexpr (kRowFactors) {
      // From here on the sums are in units of the second pair's rows.
      if (step == first_steps && args.first.row_factor) {
#pragma unroll
        for (int m = 0; m < kM; ++m) {
#pragma unroll
          for (int half = 0; half < 2; ++half) {
            const int row = row_of(m, half) < last_row ? row_of(m, half) : last_row;
            const float ratio = args.first.row_factor[row] * inverse_power(args.second.row_factor[row]);
#pragma unroll
            for (int n = 0; n < kN; ++n) sums[m][n][2 * half] *= ratio, sums[m][n][2 * half + 1] *= ratio;
          }
        }
      }
    }
    copies_wait<kStages - 2>();
    __syncthreads();
    const int ahead = step + kStages - 1;
    if (ahead < steps) fetch(ahead);
    copies_committed();
    multiply_step();
    if (ahead < steps) put(ahead);
  }

  const float* row_factor = args.second.depth > 0 ? args.second.row_factor : args.first.row_factor;
  float* c = args.c + blockIdx.y * args.M * args.ldc;
#pragma unroll
  for (int m = 0; m < kM; ++m) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int row = row_of(m, half);
      if (row >= args.M) continue;
      float factor = args.scale;
      if constexpr (kRowFactors) {
        if (row_factor) factor *= row_factor[row];
      }
#pragma unroll
      for (int n = 0; n < kN; ++n) {
        const int col = at.col + warp_col + n * 8 + lane % 4 * 2;
        float low = __fmul_rn(sums[m][n][2 * half], factor), high = __fmul_rn(sums[m][n][2 * half + 1], factor);
        if (args.in_pairs && col + 1 < args.N) {
          if (args.bias) {
            const float2 add = *reinterpret_cast<const float2*>(args.bias + col);
            low = __fadd_rn(low, add.x), high = __fadd_rn(high, add.y);
          }
          if (args.residual) {
            const float2 add = *reinterpret_cast<const float2*>(args.residual + row * args.ldc + col);
            low = __fadd_rn(low, add.x), high = __fadd_rn(high, add.y);
          }
          *reinterpret_cast<float2*>(c + row * args.ldc + col) = make_float2(low, high);
        } else {
#pragma unroll
          for (int i = 0; i < 2; ++i) {
            if (col + i >= args.N) continue;
            float value = i == 0 ? low : high;
            if (args.bias) value = __fadd_rn(value, args.bias[col + i]);
            if (args.residual) value = __fadd_rn(value, args.residual[row * args.ldc + col + i]);
            c[row * args.ldc + col + i] = value;
          }
        }
      }
    }
  }
}

// Large tiles have kLargeRows x kLargeCols of C in eight warps, small ones 64 x 64 in four.
#define NAMESAKE_GEMM_KERNELS(form, a_across, b_across)                                                                          \
  extern "C" __global__ void __launch_bounds__(256, 2) gemm_##form##_large(GemmArgs args) {                                       \
    multiply<a_across, b_across, kLargeRows / kLargeWarpRows, kLargeCols / 32, kLargeWarpRows, 32>(args);                        \
  }                                                                                                                               \
  extern "C" __global__ void __launch_bounds__(128, 4) gemm_##form##_small(GemmArgs args) { multiply<a_across, b_across, 2, 2, 32, 32>(args); }
NAMESAKE_GEMM_KERNELS(rows_rows, false, false)
NAMESAKE_GEMM_KERNELS(rows_columns, false, true)
NAMESAKE_GEMM_KERNELS(columns_columns, true, true)
#undef NAMESAKE_GEMM_KERNELS

}  // namespace namesake::cuda
