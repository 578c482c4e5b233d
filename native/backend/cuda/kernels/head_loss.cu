// Softmax statistics, cross-entropy, KL divergence and the gradient of the logits, a chunk of the vocabulary at a time (online softmax:
// Milakov & Gimelshein 2018, arXiv 1805.02867). Blocks have kHeadThreads threads; order of sums: a thread's own, then a tree.
#include "half.cuh"
#include "head_loss_args.h"
#include "reduce.cuh"
#include "vectors.cuh"

namespace namesake::cuda {
namespace {

constexpr int kWarps = kHeadThreads / kWarp;

/// Stands for the logits past the end of a chunk: far below any other, so its exponential is 0; and finite, so that a difference of two
/// is no NaN.
constexpr float kNoLogit = -1e38f;

/// Logits 4 group .. 4 group + 3 of a row, kNoLogit from `size` on where the first is one.
__device__ __forceinline__ float4 load_logits(const float* row, long long group, long long size) {
  const long long left = size - 4 * group;
  float4 v = reinterpret_cast<const float4*>(row)[group];
  if (left < 4) v.w = kNoLogit;
  if (left < 3) v.z = kNoLogit;
  if (left < 2) v.y = kNoLogit;
  return v;
}

__device__ __forceinline__ float top_of(float4 v) { return fmaxf(fmaxf(v.x, v.y), fmaxf(v.z, v.w)); }

__device__ __forceinline__ float4 exponentials(float4 v, float top) {
  return make_float4(expf(v.x - top), expf(v.y - top), expf(v.z - top), expf(v.w - top));
}

/// Tuned and base go through the same sums: equal logits have a KL of exactly 0.
__device__ __forceinline__ float sum_of(float4 v) { return v.x + v.y + (v.z + v.w); }

}  // namespace

/// A block a row.
extern "C" __global__ void __launch_bounds__(kHeadThreads) head_gather(HeadRowsArgs a) {
  const float* from = a.from + a.rows[blockIdx.x].row * a.C;
  float* to = a.to + blockIdx.x * a.C;
  for (long long i = threadIdx.x; 4 * i < a.C; i += kHeadThreads) store_4(to, i, a.C, a.aligned, load_4(from, i, a.C, a.aligned));
}

/// A block a row.
extern "C" __global__ void __launch_bounds__(kHeadThreads) head_scatter(HeadRowsArgs a) {
  const float* from = a.from + blockIdx.x * a.C;
  float* to = a.to + a.rows[blockIdx.x].row * a.C;
  for (long long i = threadIdx.x; 4 * i < a.C; i += kHeadThreads) store_4(to, i, a.C, a.aligned, load_4(from, i, a.C, a.aligned));
}

/// A block a row. The row is read twice; the second time it comes from a cache.
extern "C" __global__ void __launch_bounds__(kHeadThreads) head_statistics(HeadStatisticsArgs a) {
  __shared__ float tops[2][kWarps], sums[3][kWarps];
  const long long r = blockIdx.x, groups = (a.size + 3) / 4;
  const bool compared = r < a.compared;
  const float *logits = a.logits + r * a.ld, *base = compared ? a.base + r * a.ld : nullptr;
  HeadPart part = {};

  float top = kNoLogit, base_top = kNoLogit;
  for (long long i = threadIdx.x; i < groups; i += kHeadThreads) {
    top = fmaxf(top, top_of(load_logits(logits, i, a.size)));
    if (compared) base_top = fmaxf(base_top, top_of(load_logits(base, i, a.size)));
  }
  part.top = block_reduce<Max, kWarps>(top, tops[0]);
  if (compared) part.base_top = block_reduce<Max, kWarps>(base_top, tops[1]);

  float sum = 0, base_sum = 0, cross = 0;
  for (long long i = threadIdx.x; i < groups; i += kHeadThreads) {
    const float4 t = load_logits(logits, i, a.size);
    sum += sum_of(exponentials(t, part.top));
    if (!compared) continue;
    const float4 b = load_logits(base, i, a.size), e = exponentials(b, part.base_top);
    base_sum += sum_of(e);
    cross += sum_of(make_float4(e.x * (b.x - t.x), e.y * (b.y - t.y), e.z * (b.z - t.z), e.w * (b.w - t.w)));
  }
  part.sum = block_reduce<Sum, kWarps>(sum, sums[0]);
  if (compared) {
    part.base_sum = block_reduce<Sum, kWarps>(base_sum, sums[1]);
    part.cross = block_reduce<Sum, kWarps>(cross, sums[2]);
  }
  if (threadIdx.x != 0) return;
  a.parts[r] = part;
  const HeadRow row = a.rows[r];
  if (row.ce_weight == 0) return;
  const long long target = a.targets[row.row] - a.first;
  if (target >= 0 && target < a.size) a.target_logits[r] = logits[target];
}

/// A thread a row. In f64: a loss is a small difference of large numbers, and there are few of them.
extern "C" __global__ void __launch_bounds__(kHeadThreads) head_losses(HeadLossesArgs a) {
  const long long r = (long long)blockIdx.x * kHeadThreads + threadIdx.x;
  if (r >= a.count) return;
  const HeadRow row = a.rows[r];
  float top = kNoLogit, base_top = kNoLogit;
  for (long long chunk = 0; chunk < a.chunks; ++chunk) {
    const HeadPart& part = a.parts[chunk * a.count + r];
    top = fmaxf(top, part.top);
    base_top = fmaxf(base_top, part.base_top);
  }
  double sum = 0, base_sum = 0, cross = 0;
  for (long long chunk = 0; chunk < a.chunks; ++chunk) {
    const HeadPart& part = a.parts[chunk * a.count + r];
    sum += part.sum * exp(double(part.top) - double(top));
    if (row.kl_weight == 0) continue;
    const double scale = exp(double(part.base_top) - double(base_top));
    base_sum += part.base_sum * scale;
    cross += part.cross * scale;
  }
  const double log_sum = double(top) + log(sum);
  HeadSoftmax softmax = {top, float(1 / sum), 0, 0};
  if (row.ce_weight != 0) a.ce[row.row] = float(log_sum - double(a.target_logits[r]));
  if (row.kl_weight != 0) {
    // KL = sum of q (log q - log p), with log q - log p = base - tuned + log_sum - base_log_sum and the q adding up to 1.
    a.kl[row.row] = float(cross / base_sum + (log_sum - (double(base_top) + log(base_sum))));
    softmax.base_top = base_top;
    softmax.base_inverse = float(1 / base_sum);
  }
  a.softmax[r] = softmax;
}

/// A grid of (size / (kHeadThreads * kHeadGradients), rows) blocks, rounded up. Of p, q the softmax of tuned and base:
/// ce_weight (p - [target]) + kl_weight (p - q).
extern "C" __global__ void __launch_bounds__(kHeadThreads) head_gradient(HeadGradientArgs a) {
  const long long r = blockIdx.y, at = ((long long)blockIdx.x * kHeadThreads + threadIdx.x) * kHeadGradients;
  if (at >= a.size) return;
  const HeadRow row = a.rows[r];
  const HeadSoftmax softmax = a.softmax[r];
  const bool compared = r < a.compared;
  const long long target = row.ce_weight != 0 ? a.targets[row.row] - a.first - at : -1;
  const float ce_weight = row.ce_weight * row.gradient, kl_weight = row.kl_weight * row.gradient;
  union {
    Half halves[kHeadGradients];
    uint4 all;
  } out;
#pragma unroll
  for (int part = 0; part < kHeadGradients / 4; ++part) {
    const float4 t = load_logits(a.logits + r * a.ld, at / 4 + part, a.size);
    const float4 b = compared ? load_logits(a.base + r * a.ld, at / 4 + part, a.size) : t;
    const float tuned[4] = {t.x, t.y, t.z, t.w}, base[4] = {b.x, b.y, b.z, b.w};
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const float p = expf(tuned[i] - softmax.top) * softmax.inverse;
      float g = ce_weight * (4 * part + i == target ? p - 1 : p);
      if (compared) g += kl_weight * (p - expf(base[i] - softmax.base_top) * softmax.base_inverse);
      out.halves[4 * part + i] = to_half(g);
    }
  }
  // What stands past the chunk's end is for no one to read.
  *reinterpret_cast<uint4*>(a.gradient + r * a.ld + at) = out.all;
}

}  // namespace namesake::cuda
