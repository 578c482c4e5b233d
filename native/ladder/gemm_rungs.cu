// Rungs of y [M, N] = x [M, K] Wᵀ with W in nf4:
//   gemm_naive   a thread has one element of y, and decodes its row of W by itself
//   gemm_tiled   a block has 64 x 64; x and decoded W pass through shared memory in f32, a thread has 4 x 4 sums in registers
//   gemm_tensor  the same tile with 16-bit operands on tensor cores; a step is loaded, then multiplied, nothing overlaps
// The next is the product's: W decoded once to 16 bits (kernels/blocks.cu), then larger tiles in stages (kernels/gemm.cu). Only that one
// takes values beyond the range of f16.
#include "../backend/cuda/kernels/block_decode.cuh"
#include "rungs_args.h"

namespace namesake::cuda {
namespace {

constexpr int kTile = 64;   // rows and columns of y that a block has
constexpr int kDepth = 32;  // that one step brings to shared memory

}  // namespace

/// Grid: x 16 columns of y, y 16 rows.
extern "C" __global__ void __launch_bounds__(256) gemm_naive(GemmRungArgs args) {
  __shared__ float tables[Nf4Blocks::kTables];
  fill_tables<Nf4Blocks>(tables);
  const std::int64_t K = args.w.cols, N = args.w.rows;
  const std::int64_t m = std::int64_t{blockIdx.y} * 16 + threadIdx.x / 16, n = std::int64_t{blockIdx.x} * 16 + threadIdx.x % 16;
  if (m >= args.M || n >= N) return;
  float sum = 0;
  for (std::int64_t k = 0; k < K; k += kDecoded) {
    float x[kDecoded], w[kDecoded];
    load_floats<true>(args.x + m * K + k, kDecoded, x);
    Nf4Blocks::decode(args.w, n, k, tables, w);
#pragma unroll
    for (int j = 0; j < kDecoded; ++j) sum = fmaf(x[j], w[j], sum);
  }
  args.y[m * N + n] = sum;
}

/// Grid: x 64 columns of y, y 64 rows. A thread has every 16th row and column of the tile from its own on.
extern "C" __global__ void __launch_bounds__(256) gemm_tiled(GemmRungArgs args) {
  __shared__ float tables[Nf4Blocks::kTables];
  // One column more, so that threads that read down a column meet different banks.
  __shared__ float x[kTile][kDepth + 1], w[kTile][kDepth + 1];
  fill_tables<Nf4Blocks>(tables);
  const std::int64_t K = args.w.cols, N = args.w.rows, top = std::int64_t{blockIdx.y} * kTile, left = std::int64_t{blockIdx.x} * kTile;
  // Past an edge the last row comes again: what is made of it is not stored.
  const int line = threadIdx.x / 4, part = threadIdx.x % 4 * kDecoded;
  const std::int64_t row = min((long long)(top + line), (long long)(args.M - 1)), col = min((long long)(left + line), (long long)(N - 1));
  const int down = threadIdx.x / 16, across = threadIdx.x % 16;
  float sums[4][4] = {};
  for (std::int64_t k = 0; k < K; k += kDepth) {
    float v[kDecoded];
    load_floats<true>(args.x + row * K + k + part, kDecoded, v);
#pragma unroll
    for (int j = 0; j < kDecoded; ++j) x[line][part + j] = v[j];
    Nf4Blocks::decode(args.w, col, k + part, tables, v);
#pragma unroll
    for (int j = 0; j < kDecoded; ++j) w[line][part + j] = v[j];
    __syncthreads();
#pragma unroll 4
    for (int depth = 0; depth < kDepth; ++depth) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
#pragma unroll
        for (int j = 0; j < 4; ++j) sums[i][j] = fmaf(x[down + 16 * i][depth], w[across + 16 * j][depth], sums[i][j]);
      }
    }
    __syncthreads();
  }
#pragma unroll
  for (int i = 0; i < 4; ++i) {
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const std::int64_t m = top + down + 16 * i, n = left + across + 16 * j;
      if (m < args.M && n < N) args.y[m * N + n] = sums[i][j];
    }
  }
}

/// Grid as of gemm_tiled. Four warps, each with 32 x 32 of the tile.
extern "C" __global__ void __launch_bounds__(128) gemm_tensor(GemmRungArgs args) {
  __shared__ float tables[Nf4Blocks::kTables];
  // Lines of 80 bytes: the eight that ldmatrix reads at a time lie in different banks.
  __shared__ __align__(16) Half x[kTile][kDepth + 8], w[kTile][kDepth + 8];
  fill_tables<Nf4Blocks>(tables);
  const std::int64_t K = args.w.cols, N = args.w.rows, top = std::int64_t{blockIdx.y} * kTile, left = std::int64_t{blockIdx.x} * kTile;
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, warp_row = warp / 2 * 32, warp_col = warp % 2 * 32;
  const int part = threadIdx.x % 4 * kDecoded;
  const auto put = [&](Half* to, const float (&v)[kDecoded]) {
    *reinterpret_cast<uint4*>(to) = make_uint4(round_to_halves(v[0], v[1]), round_to_halves(v[2], v[3]), round_to_halves(v[4], v[5]),
                                               round_to_halves(v[6], v[7]));
  };
  float sums[2][4][4] = {};
  for (std::int64_t k = 0; k < K; k += kDepth) {
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const int line = threadIdx.x / 4 + 32 * i;
      const std::int64_t row = min((long long)(top + line), (long long)(args.M - 1)), col = min((long long)(left + line), (long long)(N - 1));
      float v[kDecoded];
      load_floats<true>(args.x + row * K + k + part, kDecoded, v);
      put(&x[line][part], v);
      Nf4Blocks::decode(args.w, col, k + part, tables, v);
      put(&w[line][part], v);
    }
    __syncthreads();
#pragma unroll
    for (int depth = 0; depth < kDepth; depth += 16) {
      unsigned a[2][4], b[2][4];
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        ldmatrix(a[i], shared_address(&x[warp_row + 16 * i + lane % 16][depth + lane / 16 * 8]));
        ldmatrix(b[i], shared_address(&w[warp_col + 16 * i + lane / 16 * 8 + lane % 8][depth + lane / 8 % 2 * 8]));
      }
#pragma unroll
      for (int i = 0; i < 2; ++i) {
#pragma unroll
        for (int j = 0; j < 4; ++j) mma_16(sums[i][j], a[i], b[j / 2][j % 2 * 2], b[j / 2][j % 2 * 2 + 1]);
      }
    }
    __syncthreads();
  }
#pragma unroll
  for (int i = 0; i < 2; ++i) {
#pragma unroll
    for (int j = 0; j < 4; ++j) {
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const std::int64_t m = top + warp_row + 16 * i + e / 2 * 8 + lane / 4, n = left + warp_col + 8 * j + lane % 4 * 2 + e % 2;
        if (m < args.M && n < N) args.y[m * N + n] = sums[i][j][e];
      }
    }
  }
}

}  // namespace namesake::cuda
