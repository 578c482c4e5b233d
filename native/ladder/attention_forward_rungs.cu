// Rungs of attention over packed sequences, with the online softmax of the product:
//   attention_forward_naive  a thread has a row of a head; keys and values come from global memory for each row
//   attention_forward_tiled  the 64 rows of a block share them in shared memory
// The next is the product's (kernels/attention_forward.cu): 16-bit operands on tensor cores.
// Grid: x tiles of 64 query rows, y heads.
#include "attention_rung.cuh"

namespace namesake::cuda {

extern "C" __global__ void __launch_bounds__(kAttentionRows) attention_forward_naive(AttentionForwardArgs a) {
  const AttentionTile tile = a.sizes.tiles[blockIdx.x];
  const int H = a.sizes.heads, G = a.sizes.kv_heads, D = a.sizes.head_dim, head = blockIdx.y, kv_head = head / (H / G);
  const int row = tile.first + threadIdx.x;
  if (row >= tile.length) return;
  const HeadRows q = head_rows(a.q, tile.begin + row, H, head, D);
  const HeadRows k = head_rows(a.k, tile.begin, G, kv_head, D), v = head_rows(a.v, tile.begin, G, kv_head, D);
  float out[kRungWidth] = {}, most = -INFINITY, sum = 0;
  for (int key = 0; key < (a.sizes.causal ? row + 1 : tile.length); ++key) {
    const float score = dot(q.first, k.first + key * k.stride, D) * a.sizes.scale;
    const float largest = fmaxf(most, score), shrink = expf(most - largest), weight = expf(score - largest);
    most = largest;
    sum = fmaf(sum, shrink, weight);
#pragma unroll
    for (int d = 0; d < kRungWidth; ++d) {
      if (d < D) out[d] = fmaf(weight, v.first[key * v.stride + d], out[d] * shrink);
    }
  }
  const long long at = (long long)(tile.begin + row) * H + head;
#pragma unroll
  for (int d = 0; d < kRungWidth; ++d) {
    if (d < D) a.o[at * D + d] = out[d] / sum;
  }
  a.lse[at] = most + logf(sum);
}

extern "C" __global__ void __launch_bounds__(kAttentionThreads) attention_forward_tiled(AttentionForwardArgs a) {
  __shared__ StagedRows keys, values;
  const AttentionTile tile = a.sizes.tiles[blockIdx.x];
  const int H = a.sizes.heads, G = a.sizes.kv_heads, D = a.sizes.head_dim, head = blockIdx.y, kv_head = head / (H / G);
  const int row = tile.first + threadIdx.x / 2;
  float query[kShare], out[kShare] = {}, most = -INFINITY, sum = 0;
  load_share(query, head_rows(a.q, tile.begin + row, H, head, D).first, D, row < tile.length);
  const int end = a.sizes.causal ? min(tile.length, tile.first + kAttentionRows) : tile.length;
  for (int first = 0; first < end; first += kStagedRows) {
    __syncthreads();
    stage_rows(keys, head_rows(a.k, tile.begin + first, G, kv_head, D), tile.length - first, D);
    stage_rows(values, head_rows(a.v, tile.begin + first, G, kv_head, D), tile.length - first, D);
    __syncthreads();
    for (int at = 0; at < kStagedRows && first + at < end; ++at) {
      // Key 0 is seen by every row, so `most` is finite from there on.
      const float score = dot_shared(query, keys[at]) * a.sizes.scale;
      const bool seen = !a.sizes.causal || first + at <= row;
      const float largest = seen ? fmaxf(most, score) : most, shrink = expf(most - largest), weight = seen ? expf(score - largest) : 0;
      most = largest;
      sum = fmaf(sum, shrink, weight);
#pragma unroll
      for (int i = 0; i < kShare; ++i) out[i] *= shrink;
      add_scaled(out, weight, values[at]);
    }
  }
  if (row >= tile.length) return;
  const long long at = (long long)(tile.begin + row) * H + head;
  store_share(a.o + at * D, out, 1 / sum, D);
  if (threadIdx.x % 2 == 0) a.lse[at] = most + logf(sum);
}

}  // namespace namesake::cuda
