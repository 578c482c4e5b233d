// Ops that take each row, or each element, for itself: sums, RMSNorm, rope, the parts of a fused q/k/v, SwiGLU. f32 in and out; all are bound
// by memory, so a thread takes 16 bytes at a time where rows are aligned for it. Blocks have kRowThreads threads.
#include "rows_args.h"
#include "reduce.cuh"
#include "vectors.cuh"

namespace namesake::cuda {
namespace {

constexpr int kWarps = kRowThreads / kWarp;

/// How the threads of a block share rows: a warp takes one, or the whole block, which needs shared memory for kWarps values.
struct RowByWarp {
  static constexpr int threads = kWarp;
  static __device__ long long row() { return (long long)blockIdx.x * kWarps + threadIdx.x / kWarp; }
  static __device__ int lane() { return threadIdx.x % kWarp; }
  static __device__ float sum(float value, float*) { return warp_reduce<Sum>(value); }
};

struct RowByBlock {
  static constexpr int threads = kRowThreads;
  static __device__ long long row() { return blockIdx.x; }
  static __device__ int lane() { return threadIdx.x; }
  static __device__ float sum(float value, float* shared) { return block_reduce<Sum, kWarps>(value, shared); }
};

/// Zhang & Sennrich 2019 (arXiv 1910.07467).
template <class Share>
__device__ __forceinline__ void rmsnorm_forward(const RmsnormForwardArgs& a, float* shared = nullptr) {
  const long long m = Share::row();
  if (m >= a.M) return;
  const float* x = a.x + m * a.C;
  const long long groups = (a.C + 3) / 4;
  float squares = 0;
  for (long long i = Share::lane(); i < groups; i += Share::threads) {
    const float4 v = load_4(x, i, a.C, a.aligned);
    squares += v.x * v.x + v.y * v.y + (v.z * v.z + v.w * v.w);
  }
  const float rstd = 1 / sqrtf(Share::sum(squares, shared) / float(a.C) + a.eps);
  for (long long i = Share::lane(); i < groups; i += Share::threads) {
    const float4 v = load_4(x, i, a.C, a.aligned), w = load_4(a.weight, i, a.C, a.aligned);
    store_4(a.y + m * a.C, i, a.C, a.aligned,
            make_float4(v.x * rstd * w.x, v.y * rstd * w.y, v.z * rstd * w.z, v.w * rstd * w.w));
  }
  if (a.rstd != nullptr && Share::lane() == 0) a.rstd[m] = rstd;
}

/// With g = dy weight: dx += rstd (g - x rstd² mean(x g)).
template <class Share>
__device__ __forceinline__ void rmsnorm_backward(const RmsnormBackwardArgs& a, float* shared = nullptr) {
  const long long m = Share::row();
  if (m >= a.M) return;
  const float *x = a.x + m * a.C, *dy = a.dy + m * a.C;
  float* dx = a.dx + m * a.C;
  const long long groups = (a.C + 3) / 4;
  float products = 0;
  for (long long i = Share::lane(); i < groups; i += Share::threads) {
    const float4 v = load_4(x, i, a.C, a.aligned), d = load_4(dy, i, a.C, a.aligned), w = load_4(a.weight, i, a.C, a.aligned);
    products += v.x * (d.x * w.x) + v.y * (d.y * w.y) + (v.z * (d.z * w.z) + v.w * (d.w * w.w));
  }
  const float rstd = a.rstd[m], pull = rstd * rstd * Share::sum(products, shared) / float(a.C);
  for (long long i = Share::lane(); i < groups; i += Share::threads) {
    const float4 v = load_4(x, i, a.C, a.aligned), d = load_4(dy, i, a.C, a.aligned), w = load_4(a.weight, i, a.C, a.aligned);
    float4 sum = load_4(dx, i, a.C, a.aligned);
    sum.x += rstd * (d.x * w.x - v.x * pull);
    sum.y += rstd * (d.y * w.y - v.y * pull);
    sum.z += rstd * (d.z * w.z - v.z * pull);
    sum.w += rstd * (d.w * w.w - v.w * pull);
    store_4(dx, i, a.C, a.aligned, sum);
  }
}

/// Turns the pair (first, second) by the angle with this cosine and sine.
__device__ __forceinline__ void turn(float& first, float& second, float c, float s) {
  const float a = first, b = second;
  first = a * c - b * s;
  second = a * s + b * c;
}

/// silu(g) = g / (1 + exp(-g)): where exp overflows the quotient is 0, as it should be.
__device__ __forceinline__ float silu(float g) { return g / (1 + expf(-g)); }

__device__ __forceinline__ void silu_gradient(float d, float g, float u, float& dgate, float& dup) {
  const float s = 1 / (1 + expf(-g));
  dgate = d * u * s * (1 + g * (1 - s));
  dup = d * (g * s);
}

/// Copies `width` values (D of a head, or D / 4 of type float4) between a fused row and its parts. The grid has a row in x; the row's
/// heads go over its threads.
template <bool split, class T>
__device__ __forceinline__ void copy_heads(const FusedQkvArgs& a, long long width) {
  const long long m = blockIdx.x, queries = a.heads / a.kv_heads, parts = queries + 2;
  T* fused = reinterpret_cast<T*>(a.fused) + m * a.kv_heads * parts * width;
  T* const q = reinterpret_cast<T*>(a.q) + m * a.heads * width;
  T* const k = reinterpret_cast<T*>(a.k) + m * a.kv_heads * width;
  T* const v = reinterpret_cast<T*>(a.v) + m * a.kv_heads * width;
  for (int i = threadIdx.x; i < int(a.kv_heads * parts * width); i += kRowThreads) {
    const int head = i / int(width), at = i % int(width), group = head / int(parts), part = head % int(parts);
    T* other = part < queries        ? q + (group * queries + part) * width
               : part == int(queries) ? k + group * width
                                      : v + group * width;
    if (split) {
      other[at] = fused[i];
    } else {
      fused[i] = other[at];
    }
  }
}

}  // namespace

/// Four elements a thread.
extern "C" __global__ void __launch_bounds__(kRowThreads) add(AddArgs a) {
  const long long i = (long long)blockIdx.x * kRowThreads + threadIdx.x;
  if (4 * i >= a.n) return;
  const float4 x = load_4(a.x, i, a.n, a.aligned), y = load_4(a.y, i, a.n, a.aligned);
  store_4(a.y, i, a.n, a.aligned, make_float4(y.x + x.x, y.y + x.y, y.z + x.z, y.w + x.w));
}

/// Rows of at most kWarpRow values; a grid of M / 8 blocks, rounded up.
extern "C" __global__ void __launch_bounds__(kRowThreads) rmsnorm_forward_warp(RmsnormForwardArgs a) { rmsnorm_forward<RowByWarp>(a); }

/// Wider rows; a grid of M blocks.
extern "C" __global__ void __launch_bounds__(kRowThreads) rmsnorm_forward_block(RmsnormForwardArgs a) {
  __shared__ float shared[kWarps];
  rmsnorm_forward<RowByBlock>(a, shared);
}

extern "C" __global__ void __launch_bounds__(kRowThreads) rmsnorm_backward_warp(RmsnormBackwardArgs a) { rmsnorm_backward<RowByWarp>(a); }

extern "C" __global__ void __launch_bounds__(kRowThreads) rmsnorm_backward_block(RmsnormBackwardArgs a) {
  __shared__ float shared[kWarps];
  rmsnorm_backward<RowByBlock>(a, shared);
}

/// Su et al. 2021 (arXiv 2104.09864). A grid of M blocks: all heads of a row have its cosines and sines.
extern "C" __global__ void __launch_bounds__(kRowThreads) rope(RopeArgs a) {
  const int half = int(a.D / 2), step = a.aligned ? 4 : 1, pieces = half / step;
  float* row = a.x + blockIdx.x * a.heads * a.D;
  const long long position = a.positions[blockIdx.x];
  const float *cos = a.cos + position * half, *sin = a.sin + position * half;
  for (int i = threadIdx.x; i < int(a.heads) * pieces; i += kRowThreads) {
    const int pair = i % pieces * step;
    float* head = row + i / pieces * a.D;
    if (!a.aligned) {
      turn(head[a.adjacent ? 2 * pair : pair], head[a.adjacent ? 2 * pair + 1 : pair + half], cos[pair], a.direction * sin[pair]);
      continue;
    }
    const float4 c = *reinterpret_cast<const float4*>(cos + pair);
    float4 s = *reinterpret_cast<const float4*>(sin + pair);
    s = make_float4(a.direction * s.x, a.direction * s.y, a.direction * s.z, a.direction * s.w);
    float4* const low = reinterpret_cast<float4*>(head + (a.adjacent ? 2 * pair : pair));
    float4* const high = reinterpret_cast<float4*>(head + (a.adjacent ? 2 * pair + 4 : pair + half));
    float4 p = *low, q = *high;
    if (a.adjacent) {
      turn(p.x, p.y, c.x, s.x);
      turn(p.z, p.w, c.y, s.y);
      turn(q.x, q.y, c.z, s.z);
      turn(q.z, q.w, c.w, s.w);
    } else {
      turn(p.x, q.x, c.x, s.x);
      turn(p.y, q.y, c.y, s.y);
      turn(p.z, q.z, c.z, s.z);
      turn(p.w, q.w, c.w, s.w);
    }
    *low = p;
    *high = q;
  }
}

/// A grid of M blocks each.
extern "C" __global__ void __launch_bounds__(kRowThreads) split_qkv(FusedQkvArgs a) {
  if (a.aligned) {
    copy_heads<true, float4>(a, a.D / 4);
  } else {
    copy_heads<true, float>(a, a.D);
  }
}

extern "C" __global__ void __launch_bounds__(kRowThreads) join_qkv(FusedQkvArgs a) {
  if (a.aligned) {
    copy_heads<false, float4>(a, a.D / 4);
  } else {
    copy_heads<false, float>(a, a.D);
  }
}

/// Shazeer 2020 (arXiv 2002.05202). Four elements a thread.
extern "C" __global__ void __launch_bounds__(kRowThreads) swiglu_forward(SwigluForwardArgs a) {
  const long long i = (long long)blockIdx.x * kRowThreads + threadIdx.x;
  if (4 * i >= a.n) return;
  const float4 g = load_4(a.gate, i, a.n, a.aligned), u = load_4(a.up, i, a.n, a.aligned);
  store_4(a.y, i, a.n, a.aligned, make_float4(silu(g.x) * u.x, silu(g.y) * u.y, silu(g.z) * u.z, silu(g.w) * u.w));
}

/// Four elements a thread, which reads them before it writes: gate and up may be the places of the results.
extern "C" __global__ void __launch_bounds__(kRowThreads) swiglu_backward(SwigluBackwardArgs a) {
  const long long i = (long long)blockIdx.x * kRowThreads + threadIdx.x;
  if (4 * i >= a.n) return;
  const float4 d = load_4(a.dy, i, a.n, a.aligned), g = load_4(a.gate, i, a.n, a.aligned), u = load_4(a.up, i, a.n, a.aligned);
  float4 dgate, dup;
  silu_gradient(d.x, g.x, u.x, dgate.x, dup.x);
  silu_gradient(d.y, g.y, u.y, dgate.y, dup.y);
  silu_gradient(d.z, g.z, u.z, dgate.z, dup.z);
  silu_gradient(d.w, g.w, u.w, dgate.w, dup.w);
  store_4(a.dgate, i, a.n, a.aligned, dgate);
  store_4(a.dup, i, a.n, a.aligned, dup);
}

}  // namespace namesake::cuda
