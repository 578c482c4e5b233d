// Rungs of the gradients of attention. As in the product one kernel has keys and values, one queries, and scores are computed again in each:
//   attention_backward_naive_*  a thread has a row of a head; all others come from global memory for each row
//   attention_backward_tiled_*  the 64 rows of a block share them in shared memory
// The next is the product's (kernels/attention_backward.cu): 16-bit operands on tensor cores.
// Grid: x tiles of 64 rows (of keys, or of queries), y heads (key/value heads, or heads).
//
// With p = exp(s - lse), delta = Σ do o and ds = p (do v - delta):  dv = Σ p do,  dk = scale Σ ds q,  dq = scale Σ ds k.
#include "attention_rung.cuh"

namespace namesake::cuda {

extern "C" __global__ void __launch_bounds__(kAttentionRows) attention_backward_naive_keys(AttentionBackwardRungArgs a) {
  const AttentionTile tile = a.sizes.tiles[blockIdx.x];
  const int H = a.sizes.heads, G = a.sizes.kv_heads, D = a.sizes.head_dim, kv_head = blockIdx.y, key = tile.first + threadIdx.x;
  if (key >= tile.length) return;
  const HeadRows k = head_rows(a.k, tile.begin + key, G, kv_head, D), v = head_rows(a.v, tile.begin + key, G, kv_head, D);
  float dk[kRungWidth] = {}, dv[kRungWidth] = {};
  for (int head = kv_head * (H / G); head < (kv_head + 1) * (H / G); ++head) {
    for (int query = a.sizes.causal ? key : 0; query < tile.length; ++query) {
      const long long at = (long long)(tile.begin + query) * H + head;
      const float* q = a.q + at * D;
      const float* gradient = a.do_ + at * D;
      const float p = expf(dot(q, k.first, D) * a.sizes.scale - a.lse[at]);
      const float ds = p * (dot(gradient, v.first, D) - dot(gradient, a.o + at * D, D));
#pragma unroll
      for (int d = 0; d < kRungWidth; ++d) {
        if (d >= D) continue;
        dk[d] = fmaf(ds, q[d], dk[d]);
        dv[d] = fmaf(p, gradient[d], dv[d]);
      }
    }
  }
  const long long to = ((long long)(tile.begin + key) * G + kv_head) * D;
#pragma unroll
  for (int d = 0; d < kRungWidth; ++d) {
    if (d >= D) continue;
    a.dk[to + d] = dk[d] * a.sizes.scale;
    a.dv[to + d] = dv[d];
  }
}

extern "C" __global__ void __launch_bounds__(kAttentionRows) attention_backward_naive_queries(AttentionBackwardRungArgs a) {
  const AttentionTile tile = a.sizes.tiles[blockIdx.x];
  const int H = a.sizes.heads, G = a.sizes.kv_heads, D = a.sizes.head_dim, head = blockIdx.y, kv_head = head / (H / G);
  const int query = tile.first + threadIdx.x;
  if (query >= tile.length) return;
  const long long at = (long long)(tile.begin + query) * H + head;
  const HeadRows k = head_rows(a.k, tile.begin, G, kv_head, D), v = head_rows(a.v, tile.begin, G, kv_head, D);
  const float delta = dot(a.do_ + at * D, a.o + at * D, D);
  float dq[kRungWidth] = {};
  for (int key = 0; key < (a.sizes.causal ? query + 1 : tile.length); ++key) {
    const float p = expf(dot(a.q + at * D, k.first + key * k.stride, D) * a.sizes.scale - a.lse[at]);
    const float ds = p * (dot(a.do_ + at * D, v.first + key * v.stride, D) - delta);
#pragma unroll
    for (int d = 0; d < kRungWidth; ++d) {
      if (d < D) dq[d] = fmaf(ds, k.first[key * k.stride + d], dq[d]);
    }
  }
#pragma unroll
  for (int d = 0; d < kRungWidth; ++d) {
    if (d < D) a.dq[at * D + d] = dq[d] * a.sizes.scale;
  }
}

extern "C" __global__ void __launch_bounds__(kAttentionThreads) attention_backward_tiled_keys(AttentionBackwardRungArgs a) {
  __shared__ StagedRows queries, gradients;
  __shared__ float lse[kStagedRows], delta[kStagedRows];
  const AttentionTile tile = a.sizes.tiles[blockIdx.x];
  const int H = a.sizes.heads, G = a.sizes.kv_heads, D = a.sizes.head_dim, kv_head = blockIdx.y, key = tile.first + threadIdx.x / 2;
  float k[kShare], v[kShare], dk[kShare] = {}, dv[kShare] = {};
  load_share(k, head_rows(a.k, tile.begin + key, G, kv_head, D).first, D, key < tile.length);
  load_share(v, head_rows(a.v, tile.begin + key, G, kv_head, D).first, D, key < tile.length);
  for (int head = kv_head * (H / G); head < (kv_head + 1) * (H / G); ++head) {
    for (int first = a.sizes.causal ? tile.first : 0; first < tile.length; first += kStagedRows) {
      const int valid = min(tile.length - first, kStagedRows);
      __syncthreads();
      stage_rows(queries, head_rows(a.q, tile.begin + first, H, head, D), valid, D);
      stage_rows(gradients, head_rows(a.do_, tile.begin + first, H, head, D), valid, D);
      if (threadIdx.x < valid) {
        const long long at = (long long)(tile.begin + first + threadIdx.x) * H + head;
        lse[threadIdx.x] = a.lse[at];
        delta[threadIdx.x] = dot(a.do_ + at * D, a.o + at * D, D);
      }
      __syncthreads();
      for (int at = 0; at < valid; ++at) {
        const float score = dot_shared(k, queries[at]) * a.sizes.scale, slope = dot_shared(v, gradients[at]) - delta[at];
        const float p = !a.sizes.causal || key <= first + at ? expf(score - lse[at]) : 0;
        add_scaled(dk, p * slope, queries[at]);
        add_scaled(dv, p, gradients[at]);
      }
    }
  }
  if (key >= tile.length) return;
  const long long to = ((long long)(tile.begin + key) * G + kv_head) * D;
  store_share(a.dk + to, dk, a.sizes.scale, D);
  store_share(a.dv + to, dv, 1, D);
}

extern "C" __global__ void __launch_bounds__(kAttentionThreads) attention_backward_tiled_queries(AttentionBackwardRungArgs a) {
  __shared__ StagedRows keys, values;
  const AttentionTile tile = a.sizes.tiles[blockIdx.x];
  const int H = a.sizes.heads, G = a.sizes.kv_heads, D = a.sizes.head_dim, head = blockIdx.y, kv_head = head / (H / G);
  const int query = tile.first + threadIdx.x / 2;
  const bool there = query < tile.length;
  const long long at = (long long)(tile.begin + query) * H + head;
  float q[kShare], gradient[kShare], dq[kShare] = {};
  load_share(q, a.q + at * D, D, there);
  load_share(gradient, a.do_ + at * D, D, there);
  const float lse = there ? a.lse[at] : 0, delta = there ? dot(a.do_ + at * D, a.o + at * D, D) : 0;
  const int end = a.sizes.causal ? min(tile.length, tile.first + kAttentionRows) : tile.length;
  for (int first = 0; first < end; first += kStagedRows) {
    __syncthreads();
    stage_rows(keys, head_rows(a.k, tile.begin + first, G, kv_head, D), tile.length - first, D);
    stage_rows(values, head_rows(a.v, tile.begin + first, G, kv_head, D), tile.length - first, D);
    __syncthreads();
    for (int key = 0; key < kStagedRows && first + key < end; ++key) {
      const float score = dot_shared(q, keys[key]) * a.sizes.scale, slope = dot_shared(gradient, values[key]) - delta;
      const float p = !a.sizes.causal || first + key <= query ? expf(score - lse) : 0;
      add_scaled(dq, p * slope, keys[key]);
    }
  }
  if (there) store_share(a.dq + at * D, dq, a.sizes.scale, D);
}

}  // namespace namesake::cuda
