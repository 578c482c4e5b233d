// AdamW, and the sum of squares that the norm of a gradient is made of. Blocks have kOptimizerThreads threads.
#include "optimizer_args.h"
#include "reduce.cuh"
#include "vectors.cuh"

namespace namesake::cuda {
namespace {

constexpr int kWarps = kOptimizerThreads / kWarp;

__device__ __forceinline__ double square(float x) { return double(x) * double(x); }

/// A step of one value (Loshchilov & Hutter 2019, arXiv 1711.05101), eps outside the root.
__device__ __forceinline__ void adamw_value(const AdamWArgs& a, float grad, float& value, float& m, float& v) {
  const float g = grad * a.grad_scale;
  m = a.beta1 * m + a.rest1 * g;
  v = a.beta2 * v + a.rest2 * (g * g);
  value = value * a.keep - a.step_size * (m / (sqrtf(v) * a.root_scale + a.eps));
}

}  // namespace

/// A block a piece. Thread t adds groups t, t + 256, ... of four, in f64: a square of a float is exact there, and gradients may
/// differ by many powers of two.
extern "C" __global__ void __launch_bounds__(kOptimizerThreads) sum_of_squares(SumOfSquaresArgs a) {
  __shared__ double shared[kWarps];
  const long long first = blockIdx.x * kSumPiece, left = a.n - first, size = left < kSumPiece ? left : kSumPiece;
  double sum = 0;
  for (long long i = threadIdx.x; 4 * i < size; i += kOptimizerThreads) {
    const float4 v = load_4(a.x + first, i, size, a.aligned);
    sum += square(v.x) + square(v.y) + (square(v.z) + square(v.w));
  }
  sum = block_reduce<Sum, kWarps>(sum, shared);
  if (threadIdx.x == 0) a.sums[blockIdx.x] = sum;
}

/// One block.
extern "C" __global__ void __launch_bounds__(kOptimizerThreads) sum_of_pieces(SumArgs a) {
  __shared__ double shared[kWarps];
  double sum = 0;
  for (long long i = threadIdx.x; i < a.n; i += kOptimizerThreads) sum += a.values[i];
  sum = block_reduce<Sum, kWarps>(sum, shared);
  if (threadIdx.x == 0) *a.sum = sum;
}

/// Four values a thread.
extern "C" __global__ void __launch_bounds__(kOptimizerThreads) adamw(AdamWArgs a) {
  const long long i = (long long)blockIdx.x * kOptimizerThreads + threadIdx.x;
  if (4 * i >= a.n) return;
  const float4 g = load_4(a.grad, i, a.n, a.aligned);
  float4 value = load_4(a.value, i, a.n, a.aligned), m = load_4(a.m, i, a.n, a.aligned), v = load_4(a.v, i, a.n, a.aligned);
  adamw_value(a, g.x, value.x, m.x, v.x);
  adamw_value(a, g.y, value.y, m.y, v.y);
  adamw_value(a, g.z, value.z, m.z, v.z);
  adamw_value(a, g.w, value.w, m.w, v.w);
  store_4(a.value, i, a.n, a.aligned, value);
  store_4(a.m, i, a.n, a.aligned, m);
  store_4(a.v, i, a.n, a.aligned, v);
}

}  // namespace namesake::cuda
