// Attention of single rows over the key/value cache, in f32, for prompts and decoding alike: memory is what bounds it. Keys come in fixed
// pieces, each with a softmax of its own (Dao et al. 2023, "Flash-Decoding"), which a second kernel joins in order: a row's bits depend on
// nothing but its keys. Blocks have kCachedThreads threads.
#include "attention_cached_args.h"
#include "asm.cuh"
#include "reduce.cuh"
#include "vectors.cuh"

namespace namesake::cuda {
namespace {

constexpr float kLog2E = 1.44269504088896341f;
constexpr int kKeys = int(kCachedKeys);
constexpr int kMostD = kCachedThreads;
constexpr int kKeyLanes = 8;  // lanes that share one key's product with a query: each takes four values of every 32
constexpr int kKeysAtOnce = kCachedThreads / kKeyLanes;

static_assert(kCachedHeads == kCachedThreads / kWarp && kKeys == 2 * kWarp, "a warp does the softmax of one head, a lane two keys");

/// weights [head][key] = the scores of a piece, -infinity from `keys` (at least 1) on. k: the piece's first key; query: zeros from D on.
/// `steps` times 32 values are D or more.
template <int steps>
__device__ __forceinline__ void score(const float* k, long long stride, int keys, int D, bool aligned,
                                      const float (&query)[kCachedHeads][kMostD], float (&weights)[kCachedHeads][kKeys]) {
  const int lane = threadIdx.x % kKeyLanes;
#pragma unroll
  for (int key = threadIdx.x / kKeyLanes; key < kKeys; key += kKeysAtOnce) {
    // Without a branch, so that loads of several keys are under way together: what lies outside reads a neighbour, and counts for
    // nothing.
    const float* row = k + min(key, keys - 1) * stride;
    float scores[kCachedHeads] = {};
#pragma unroll
    for (int step = 0; step < steps; ++step) {
      const int group = lane + kKeyLanes * step;
      const float4 x = load_4(row, min(group, (D - 1) / 4), D, aligned);
#pragma unroll
      for (int h = 0; h < kCachedHeads; ++h) {
        const float4 q = reinterpret_cast<const float4*>(query[h])[group];
        scores[h] += q.x * x.x + q.y * x.y + (q.z * x.z + q.w * x.w);
      }
    }
#pragma unroll
    for (int h = 0; h < kCachedHeads; ++h) {
#pragma unroll
      for (int step = kKeyLanes / 2; step > 0; step /= 2) scores[h] += __shfl_xor_sync(0xffffffffu, scores[h], step);
      if (lane == 0) weights[h][key] = key < keys ? scores[h] : -INFINITY;
    }
  }
}

}  // namespace

/// Grid: x rows.
extern "C" __global__ void __launch_bounds__(kCachedThreads) kv_write(const __grid_constant__ KvWriteArgs a) {
  const long long row = blockIdx.x;
  const long long to = (a.places.slots[row] * a.capacity + a.places.positions[row]) * a.width, from = row * a.width;
  for (long long group = threadIdx.x; 4 * group < a.width; group += kCachedThreads) {
    store_4(a.cache_k + to, group, a.width, a.aligned, load_4(a.k + from, group, a.width, a.aligned));
    store_4(a.cache_v + to, group, a.width, a.aligned, load_4(a.v + from, group, a.width, a.aligned));
  }
}

/// The softmax of one piece of keys for up to kCachedHeads heads. Grid: x pieces, y key/value heads times the parts of their query
/// heads, z rows.
extern "C" __global__ void __launch_bounds__(kCachedThreads) attention_cached_pieces(const __grid_constant__ AttentionCachedArgs a) {
  __shared__ __align__(16) float query[kCachedHeads][kMostD];
  __shared__ float weights[kCachedHeads][kKeys];
  const int row = blockIdx.z, first = blockIdx.x * kKeys, D = a.head_dim, thread = threadIdx.x;
  const int seen = a.places.positions[row] + 1 - first;
  if (seen <= 0) return;
  const int keys = min(seen, kKeys);
  const int group = a.heads / a.kv_heads, parts = (group + kCachedHeads - 1) / kCachedHeads;
  const int kv_head = blockIdx.y / parts, first_in_group = blockIdx.y % parts * kCachedHeads;
  const int head = kv_head * group + first_in_group, heads = min(kCachedHeads, group - first_in_group);
  const long long stride = (long long)a.kv_heads * D;
  const long long begin = ((long long)a.places.slots[row] * a.capacity + first) * stride + (long long)kv_head * D;

#pragma unroll
  for (int h = 0; h < kCachedHeads; ++h) {
    query[h][thread] = h < heads && thread < D ? a.q[((long long)row * a.heads + head + h) * D + thread] * (a.scale * kLog2E) : 0;
  }
  __syncthreads();

  if (D <= 64) {
    if (a.aligned) {
      score<2>(a.k + begin, stride, keys, D, true, query, weights);
    } else {
      score<2>(a.k + begin, stride, keys, D, false, query, weights);
    }
  } else if (a.aligned) {
    score<4>(a.k + begin, stride, keys, D, true, query, weights);
  } else {
    score<4>(a.k + begin, stride, keys, D, false, query, weights);
  }
  __syncthreads();

  const int warp = thread / kWarp, lane = thread % kWarp;
  {
    const float low = weights[warp][lane], high = weights[warp][lane + kWarp];
    const float most = warp_reduce<Max>(fmaxf(low, high));
    // ex2.approx is off by two units in the last place: less than what the score's own rounding does.
    const float p_low = exp2_approx(low - most), p_high = exp2_approx(high - most);
    const float sum = warp_reduce<Sum>(p_low + p_high);
    weights[warp][lane] = p_low;
    weights[warp][lane + kWarp] = p_high;
    if (lane == 0 && warp < heads) a.pieces[((long long)row * a.heads + head + warp) * a.count + blockIdx.x] = {most, sum};
  }
  __syncthreads();

  // A thread takes one column of the values. Where two rows of columns fit among the threads, each takes every second key.
  const int width = D > kMostD / 2 ? kMostD : kMostD / 2, column = thread % width, share = thread / width, shares = kMostD / width;
  float out[kCachedHeads] = {};
  if (column < D) {
#pragma unroll 16
    for (int key = share; key < keys; key += shares) {
      const float v = a.v[begin + key * stride + column];
#pragma unroll
      for (int h = 0; h < kCachedHeads; ++h) out[h] += weights[h][key] * v;
    }
  }
  if (shares == 2) {
    if (share == 1) {
#pragma unroll
      for (int h = 0; h < kCachedHeads; ++h) query[h][column] = out[h];
    }
    __syncthreads();
    if (share == 1) return;
#pragma unroll
    for (int h = 0; h < kCachedHeads; ++h) out[h] += query[h][column];
  }
  if (column >= D) return;
  for (int h = 0; h < heads; ++h) {
    a.outs[(((long long)row * a.heads + head + h) * a.count + blockIdx.x) * D + column] = out[h];
  }
}

/// Joins the pieces of each head of each row. Grid: x heads, y rows.
extern "C" __global__ void __launch_bounds__(kCachedThreads) attention_cached_join(const __grid_constant__ AttentionCachedArgs a) {
  const int row = blockIdx.y, D = a.head_dim;
  const long long at = (long long)row * a.heads + blockIdx.x;
  const int count = (a.places.positions[row] + kKeys) / kKeys;
  if (threadIdx.x >= D) return;
  const CachedPiece* pieces = a.pieces + at * a.count;
  const float* outs = a.outs + at * a.count * D + threadIdx.x;
  float most = pieces[0].most;
  for (int i = 1; i < count; ++i) most = fmaxf(most, pieces[i].most);
  float sum = 0, out = 0;
  for (int i = 0; i < count; ++i) {
    const float weight = exp2_approx(pieces[i].most - most);
    sum += weight * pieces[i].sum;
    out += weight * outs[(long long)i * D];
  }
  a.o[at * D + threadIdx.x] = out / sum;
}

}  // namespace namesake::cuda
