// A linear layer for a few rows (decoding): dot products in f32 straight from the blocks, each weight read once for kGemvRows rows.
// One order of sums for each element of y, whatever M is: lane l adds up values 8 l..8 l + 7 of each 256 in order, then its share of the
// low-rank term, and the lanes are added up as a tree.
//
// Grid: x = ceil(N / kGemvOutputs / 8), y = ceil(M / kGemvRows). Block: 8 warps; a warp has kGemvOutputs rows of W.
#include "gemv_args.h"
#include "block_decode.cuh"
#include "reduce.cuh"

namespace namesake::cuda {

inline constexpr int kGemvRows = 4, kGemvOutputs = 2, kWarps = 8, kLaneValues = 32 * kDecoded;

/// Outputs n0.. of kRows rows from m0 on. Past the last row or output the last one is computed again and not stored.
template <class Format, int kRows>
__device__ __forceinline__ void gemv_rows(const GemvArgs& args, const float* tables, std::int64_t n0, std::int64_t m0) {
  const int lane = threadIdx.x % 32;
  const std::int64_t N = args.w.rows, K = args.w.cols;
  const auto output = [&](int i) { return n0 + i < N ? n0 + i : N - 1; };
  const auto row = [&](int m) { return m0 + m < args.M ? m0 + m : args.M - 1; };

  float sums[kGemvOutputs][kRows] = {};
#pragma unroll(kRows == 1 ? 2 : 1)
  for (std::int64_t k = lane * kDecoded; k < K; k += kLaneValues) {
    float w[kGemvOutputs][kDecoded];
#pragma unroll
    for (int i = 0; i < kGemvOutputs; ++i) Format::decode(args.w, output(i), k, tables, w[i]);
#pragma unroll
    for (int m = 0; m < kRows; ++m) {
      float x[kDecoded];
      load_floats<Format::kWhole>(args.x + row(m) * K + k, K - k, x);
#pragma unroll
      for (int i = 0; i < kGemvOutputs; ++i) {
#pragma unroll
        for (int j = 0; j < kDecoded; ++j) sums[i][m] = __fmaf_rn(w[i][j], x[j], sums[i][m]);
      }
    }
  }
#pragma unroll
  for (int m = 0; m < kRows; ++m) {
    // Where the adapter is off nothing is added: xa may hold anything.
    const float gain = args.row_on ? args.scale * args.row_on[row(m)] : args.scale;
    if (gain != 0.0f) {
#pragma unroll 1
      for (std::int64_t r = lane; r < args.R; r += 32) {
        const float low = __fmul_rn(args.xa[row(m) * args.R + r], gain);
#pragma unroll
        for (int i = 0; i < kGemvOutputs; ++i) sums[i][m] = __fmaf_rn(low, args.b[output(i) * args.R + r], sums[i][m]);
      }
    }
#pragma unroll
    for (int i = 0; i < kGemvOutputs; ++i) {
      float sum = warp_reduce<Sum>(sums[i][m]);
      if (lane == 0 && m0 + m < args.M && n0 + i < N) {
        const std::int64_t at = (m0 + m) * N + n0 + i;
        if (args.bias) sum = __fadd_rn(sum, args.bias[n0 + i]);
        args.y[at] = args.residual ? __fadd_rn(args.residual[at], sum) : sum;
      }
    }
  }
}

template <class Format>
__device__ __forceinline__ void gemv(const GemvArgs& args) {
  __shared__ float tables[Format::kTables + 1];
  fill_tables<Format>(tables);
  const std::int64_t n0 = (std::int64_t{blockIdx.x} * kWarps + threadIdx.x / 32) * kGemvOutputs, m0 = std::int64_t{blockIdx.y} * kGemvRows;
  if (n0 >= args.w.rows) return;
  if (args.M == 1) {
    gemv_rows<Format, 1>(args, tables, n0, m0);
  } else {
    gemv_rows<Format, kGemvRows>(args, tables, n0, m0);
  }
}

#define NAMESAKE_GEMV_KERNEL(name, Format) \
  extern "C" __global__ void __launch_bounds__(256, 3) gemv_##name(GemvArgs args) { gemv<Format>(args); }
NAMESAKE_BLOCK_FORMATS(NAMESAKE_GEMV_KERNEL)
#undef NAMESAKE_GEMV_KERNEL

}  // namespace namesake::cuda
