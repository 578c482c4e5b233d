// What the rungs of attention share. All are f32 throughout and take heads of up to kRungWidth. A block has the kAttentionRows rows of one
// tile: a naive one a thread a row, a tiled one two, each with every second column.
#pragma once

#include "../backend/cuda/kernels/attention_tile.cuh"
#include "rungs_args.h"

namespace namesake::cuda {

inline constexpr int kRungWidth = 64;
inline constexpr int kShare = kRungWidth / 2;  ///< columns of a thread of a tiled rung
inline constexpr int kStagedRows = 32;         ///< rows in shared memory at a time

using StagedRows = float[kStagedRows][kRungWidth];

/// a · b over D values.
__device__ __forceinline__ float dot(const float* a, const float* b, int D) {
  float sum = 0;
  for (int d = 0; d < D; ++d) sum = fmaf(a[d], b[d], sum);
  return sum;
}

/// Fills `to` by all threads of a block: zeros from row `valid` and column D on.
__device__ __forceinline__ void stage_rows(StagedRows& to, HeadRows from, int valid, int D) {
  for (int i = threadIdx.x; i < kStagedRows * kRungWidth; i += kAttentionThreads) {
    const int row = i / kRungWidth, d = i % kRungWidth;
    to[row][d] = row < valid && d < D ? from.first[row * from.stride + d] : 0.0f;
  }
}

/// This thread's columns of a row in global memory: zeros past D, and where the row is not `there`.
__device__ __forceinline__ void load_share(float (&to)[kShare], const float* row, int D, bool there) {
#pragma unroll
  for (int i = 0; i < kShare; ++i) {
    const int d = threadIdx.x % 2 + 2 * i;
    to[i] = there && d < D ? row[d] : 0.0f;
  }
}

__device__ __forceinline__ void store_share(float* row, const float (&from)[kShare], float factor, int D) {
#pragma unroll
  for (int i = 0; i < kShare; ++i) {
    const int d = threadIdx.x % 2 + 2 * i;
    if (d < D) row[d] = from[i] * factor;
  }
}

/// The dot product of a row that two threads have with a staged one: both get it.
__device__ __forceinline__ float dot_shared(const float (&a)[kShare], const float (&staged)[kRungWidth]) {
  float sum = 0;
#pragma unroll
  for (int i = 0; i < kShare; ++i) sum = fmaf(a[i], staged[threadIdx.x % 2 + 2 * i], sum);
  return sum + __shfl_xor_sync(0xffffffffu, sum, 1);
}

/// to += factor * staged.
__device__ __forceinline__ void add_scaled(float (&to)[kShare], float factor, const float (&staged)[kRungWidth]) {
#pragma unroll
  for (int i = 0; i < kShare; ++i) to[i] = fmaf(factor, staged[threadIdx.x % 2 + 2 * i], to[i]);
}

}  // namespace namesake::cuda
