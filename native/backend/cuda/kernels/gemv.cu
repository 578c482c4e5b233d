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

template <class Format>
__device__ __forceinline__ void gemv(const GemvArgs& args) {
  __shared__ float tables[Format::kTables + 1];
  fill_tables<Format>(tables);
  const int lane = threadIdx.x % 32;
  const std::int64_t N = args.w.rows, K = args.w.cols;
  const std::int64_t n0 = (std::int64_t{blockIdx.x} * kWarps + threadIdx.x / 32) * kGemvOutputs, m0 = std::int64_t{blockIdx.y} * kGemvRows;
  const int rows = static_cast<int>(args.M - m0 < kGemvRows ? args.M - m0 : kGemvRows);
  const int outputs = static_cast<int>(N - n0 < kGemvOutputs ? N - n0 : kGemvOutputs);
  if (outputs <= 0) return;

  float sums[kGemvOutputs][kGemvRows] = {};
#pragma unroll 2
  for (std::int64_t k = lane * kDecoded; k < K; k += kLaneValues) {
    float w[kGemvOutputs][kDecoded];
#pragma unroll
    for (int i = 0; i < kGemvOutputs; ++i) {
      if (i < outputs) Format::decode(args.w, n0 + i, k, tables, w[i]);
    }
#pragma unroll
    for (int m = 0; m < kGemvRows; ++m) {
      if (m >= rows) break;
      float x[kDecoded];
      load_floats(args.x + (m0 + m) * K + k, K - k, x);
#pragma unroll
      for (int i = 0; i < kGemvOutputs; ++i) {
        if (i >= outputs) break;
#pragma unroll
        for (int j = 0; j < kDecoded; ++j) sums[i][m] = __fmaf_rn(w[i][j], x[j], sums[i][m]);
      }
    }
  }
#pragma unroll
  for (int i = 0; i < kGemvOutputs; ++i) {
    if (i >= outputs) break;
#pragma unroll
    for (int m = 0; m < kGemvRows; ++m) {
      if (m >= rows) break;
      float sum = sums[i][m];
      const float gain = args.row_on ? args.scale * args.row_on[m0 + m] : args.scale;
      // Where the adapter is off nothing is added: xa may hold anything.
      if (gain != 0.0f) {
        for (std::int64_t r = lane; r < args.R; r += 32) {
          sum = __fmaf_rn(__fmul_rn(args.xa[(m0 + m) * args.R + r], gain), args.b[(n0 + i) * args.R + r], sum);
        }
      }
      sum = warp_reduce<Sum>(sum);
      if (lane == 0) {
        const std::int64_t at = (m0 + m) * N + n0 + i;
        if (args.bias) sum = __fadd_rn(sum, args.bias[n0 + i]);
        args.y[at] = args.residual ? __fadd_rn(args.residual[at], sum) : sum;
      }
    }
  }
}

#define NAMESAKE_GEMV_KERNEL(name, Format) \
  extern "C" __global__ void __launch_bounds__(256) gemv_##name(GemvArgs args) { gemv<Format>(args); }
NAMESAKE_BLOCK_FORMATS(NAMESAKE_GEMV_KERNEL)
#undef NAMESAKE_GEMV_KERNEL

}  // namespace namesake::cuda
