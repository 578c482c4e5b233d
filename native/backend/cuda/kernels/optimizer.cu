// AdamW, and the sum of squares that the norm of a gradient is made of. Blocks have kOptimizerThreads threads.
#include "dynamic_map.cuh"
#include "optimizer_args.h"
#include "reduce.cuh"
#include "vectors.cuh"

namespace namesake::cuda {
namespace {

constexpr int kWarps = kOptimizerThreads / kWarp;

__device__ __forceinline__ double square(float x) { return double(x) * double(x); }

/// A step of one value (Loshchilov & Hutter 2019, arXiv 1711.05101), eps outside the root.
__device__ __forceinline__ void adamw_value(const AdamWStep& a, float grad, float& value, float& m, float& v) {
  const float g = grad * a.grad_scale;
  m = a.beta1 * m + a.rest1 * g;
  v = a.beta2 * v + a.rest2 * (g * g);
  value = value * a.keep - a.step_size * (m / (sqrtf(v) * a.root_scale + a.eps));
}

/// A map in shared memory: values of the codes, and the middles between neighbours.
struct CodeMap {
  float values[256];
  float bounds[256];  // the last is none
};

/// The code of the value nearest to x, of two that are equally near the lower: how many bounds lie below x.
__device__ __forceinline__ int nearest_code(const CodeMap& map, float x) {
  int code = 0;
#pragma unroll
  for (int step = 128; step > 0; step /= 2) code += x > map.bounds[code + step - 1] ? step : 0;
  return code;
}

/// Four codes as one word, the first in the lowest byte; zeros past the end of n.
__device__ __forceinline__ unsigned load_codes(const unsigned char* codes, long long at, long long n, bool aligned) {
  if (aligned) return *reinterpret_cast<const unsigned*>(codes + at);
  unsigned word = 0;
  for (int j = 0; j < 4 && at + j < n; ++j) word |= unsigned(codes[at + j]) << 8 * j;
  return word;
}

__device__ __forceinline__ void store_codes(unsigned char* codes, long long at, long long n, bool aligned, unsigned word) {
  if (aligned) {
    *reinterpret_cast<unsigned*>(codes + at) = word;
    return;
  }
  for (int j = 0; j < 4 && at + j < n; ++j) codes[at + j] = static_cast<unsigned char>(word >> 8 * j);
}

/// The two groups of four values that a lane has of a warp's block: four at its start and four from the middle on.
constexpr int kGroups = kMomentBlock / (4 * kWarp);

__device__ __forceinline__ void decode(const CodeMap& map, float absmax, const unsigned (&words)[kGroups], float (&out)[4 * kGroups]) {
#pragma unroll
  for (int i = 0; i < 4 * kGroups; ++i) out[i] = __fmul_rn(map.values[words[i / 4] >> 8 * (i % 4) & 255u], absmax);
}

/// Codes of a warp's values, and their absmax.
__device__ __forceinline__ float encode(const CodeMap& map, const float (&x)[4 * kGroups], unsigned (&words)[kGroups]) {
  float absmax = 0;
#pragma unroll
  for (int i = 0; i < 4 * kGroups; ++i) absmax = fmaxf(absmax, fabsf(x[i]));
  absmax = warp_reduce<Max>(absmax);
#pragma unroll
  for (int g = 0; g < kGroups; ++g) words[g] = 0;
#pragma unroll
  for (int i = 0; i < 4 * kGroups; ++i) {
    words[i / 4] |= unsigned(nearest_code(map, absmax == 0.0f ? 0.0f : __fdiv_rn(x[i], absmax))) << 8 * (i % 4);
  }
  return absmax;
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
  adamw_value(a.step, g.x, value.x, m.x, v.x);
  adamw_value(a.step, g.y, value.y, m.y, v.y);
  adamw_value(a.step, g.z, value.z, m.z, v.z);
  adamw_value(a.step, g.w, value.w, m.w, v.w);
  store_4(a.value, i, a.n, a.aligned, value);
  store_4(a.m, i, a.n, a.aligned, m);
  store_4(a.v, i, a.n, a.aligned, v);
}

/// Moments of 8 bits, block-wise (Dettmers et al. 2022, arXiv 2110.02861). A warp has 256 values with one absmax of each moment.
extern "C" __global__ void __launch_bounds__(kOptimizerThreads) adamw_8bit(AdamW8BitArgs a) {
  static_assert(kOptimizerThreads == 256, "a thread makes one value of each map");
  __shared__ CodeMap m_map, v_map;
  const int thread = threadIdx.x, next = thread < 255 ? thread + 1 : 255;
  m_map.values[thread] = signed_dynamic_value(thread);
  v_map.values[thread] = unsigned_dynamic_value(thread);
  __syncthreads();
  m_map.bounds[thread] = __fmul_rn(0.5f, __fadd_rn(m_map.values[thread], m_map.values[next]));
  v_map.bounds[thread] = __fmul_rn(0.5f, __fadd_rn(v_map.values[thread], v_map.values[next]));
  __syncthreads();
  const long long block = (long long)blockIdx.x * kWarps + thread / kWarp, first = block * kMomentBlock;
  if (first >= a.n) return;

  float m[4 * kGroups], v[4 * kGroups];
  unsigned m_words[kGroups], v_words[kGroups];
  const auto place = [&](int g) { return first + 4 * (g * kWarp + thread % kWarp); };
#pragma unroll
  for (int g = 0; g < kGroups; ++g) {
    const bool there = place(g) < a.n;
    m_words[g] = there ? load_codes(a.m_codes, place(g), a.n, a.aligned) : 0;
    v_words[g] = there ? load_codes(a.v_codes, place(g), a.n, a.aligned) : 0;
  }
  decode(m_map, a.m_absmax[block], m_words, m);
  decode(v_map, a.v_absmax[block], v_words, v);
#pragma unroll
  for (int g = 0; g < kGroups; ++g) {
    // Values past the end are 0 of the block's absmax.
    float grads[4] = {}, values[4] = {};
    if (place(g) < a.n) {
      const float4 grad = load_4(a.grad, place(g) / 4, a.n, a.aligned), value = load_4(a.value, place(g) / 4, a.n, a.aligned);
      grads[0] = grad.x, grads[1] = grad.y, grads[2] = grad.z, grads[3] = grad.w;
      values[0] = value.x, values[1] = value.y, values[2] = value.z, values[3] = value.w;
    }
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      adamw_value(a.step, grads[j], values[j], m[4 * g + j], v[4 * g + j]);
      if (place(g) + j >= a.n) m[4 * g + j] = v[4 * g + j] = 0;
    }
    if (place(g) < a.n) store_4(a.value, place(g) / 4, a.n, a.aligned, make_float4(values[0], values[1], values[2], values[3]));
  }
  const float m_absmax = encode(m_map, m, m_words), v_absmax = encode(v_map, v, v_words);
#pragma unroll
  for (int g = 0; g < kGroups; ++g) {
    if (place(g) >= a.n) continue;
    store_codes(a.m_codes, place(g), a.n, a.aligned, m_words[g]);
    store_codes(a.v_codes, place(g), a.n, a.aligned, v_words[g]);
  }
  if (thread % kWarp == 0) {
    a.m_absmax[block] = m_absmax;
    a.v_absmax[block] = v_absmax;
  }
}

}  // namespace namesake::cuda
