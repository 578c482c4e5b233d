// Sums and maxima over the threads of a warp and of a block, by one fixed tree: the same bits in any order of running.
#pragma once

namespace namesake::cuda {

inline constexpr int kWarp = 32;

struct Sum {
  template <class T>
  static __device__ __forceinline__ T join(T a, T b) {
    return a + b;
  }
};

struct Max {
  static __device__ __forceinline__ float join(float a, float b) { return fmaxf(a, b); }
};

/// All 32 lanes get the value joined over them. A butterfly: both of a pair join the same two values, so every lane has the same bits.
template <class Join, class T>
__device__ __forceinline__ T warp_reduce(T value) {
#pragma unroll
  for (int step = kWarp / 2; step > 0; step /= 2) value = Join::join(value, __shfl_xor_sync(0xffffffffu, value, step));
  return value;
}

/// All threads of a block of `warps` warps (at most 32, a power of two) get the value joined over them. `shared` has room for a value
/// of each warp and is not used again in the kernel: that saves a barrier.
template <class Join, int warps, class T>
__device__ __forceinline__ T block_reduce(T value, T* shared) {
  value = warp_reduce<Join>(value);
  if (threadIdx.x % kWarp == 0) shared[threadIdx.x / kWarp] = value;
  __syncthreads();
  value = shared[threadIdx.x % warps];
#pragma unroll
  for (int step = warps / 2; step > 0; step /= 2) value = Join::join(value, __shfl_xor_sync(0xffffffffu, value, step));
  return value;
}

}  // namespace namesake::cuda
