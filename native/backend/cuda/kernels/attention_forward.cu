// Attention over packed sequences (Dao et al. 2022, arXiv 2205.14135; loop order and online softmax of Dao 2023, arXiv 2307.08691).
//
// Grid: x one tile of 64 query rows, y heads; kAttentionThreads threads. A warp owns 16 rows: their queries stay in registers, keys and
// values come through shared memory as 16 bits, scores and softmax are f32 in base 2. Tiles are counted from the sequence's first row and
// keys are taken in order from there, so a row's bits depend on its sequence alone.
#include "attention_tile.cuh"

namespace namesake::cuda {
namespace {

constexpr int kStaged = 64;  // keys in shared memory at a time
constexpr int kChunk = 32;   // keys whose scores are in registers at a time

/// Of the scores of a warp's rows `row` (and row + 8) with keys `key` and on: what the row does not see becomes -infinity.
__device__ __forceinline__ void mask(float (&s)[kChunk / 8][4], int row, int key, int length, bool causal) {
  const int lane_key = key + 2 * (threadIdx.x % 4);
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const int end = causal ? min(length, row + 8 * i + 1) : length;
#pragma unroll
    for (int n = 0; n < kChunk / 8; ++n) {
      if (lane_key + 8 * n >= end) s[n][2 * i] = -INFINITY;
      if (lane_key + 8 * n + 1 >= end) s[n][2 * i + 1] = -INFINITY;
    }
  }
}

/// Scores become weights exp(score - most so far), which `most` and `sum` take in; out is brought to the new `most`. `scale` is that of
/// scores in base 2. Each lane sums its own columns: they are added up at the end.
template <int count>
__device__ __forceinline__ void online_softmax(float (&s)[kChunk / 8][4], float scale, float (&most)[2], float (&sum)[2],
                                               float (&out)[count][4]) {
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    float largest = s[0][2 * i];
#pragma unroll
    for (int n = 0; n < kChunk / 8; ++n) largest = fmaxf(largest, fmaxf(s[n][2 * i], s[n][2 * i + 1]));
    largest = fmaxf(most[i], row_max(largest));
    // ex2.approx: two units in the last place of a weight that is then rounded to 16 bits.
    const float shrink = exp2_approx((most[i] - largest) * scale), shift = largest * scale;
    most[i] = largest;
    sum[i] *= shrink;
#pragma unroll
    for (int n = 0; n < kChunk / 8; ++n) {
      s[n][2 * i] = exp2_approx(fmaf(s[n][2 * i], scale, -shift));
      s[n][2 * i + 1] = exp2_approx(fmaf(s[n][2 * i + 1], scale, -shift));
      sum[i] += s[n][2 * i] + s[n][2 * i + 1];
    }
#pragma unroll
    for (int n = 0; n < count; ++n) {
      out[n][2 * i] *= shrink;
      out[n][2 * i + 1] *= shrink;
    }
  }
}

template <int width>
__device__ __forceinline__ void attention_forward(const AttentionForwardArgs& a, Half* memory) {
  constexpr int kSteps = width / 16;
  const AttentionTile tile = a.sizes.tiles[blockIdx.x];
  const int H = a.sizes.heads, G = a.sizes.kv_heads, D = a.sizes.head_dim;
  const int head = a.sizes.first_head + blockIdx.y, kv_head = head / (H / G);
  const bool causal = a.sizes.causal, aligned = a.sizes.aligned;
  const int top = threadIdx.x / 32 * 16, lane = threadIdx.x % 32;
  const float scale = a.sizes.scale * kLog2E;

  // The queries pass through the memory of keys and values.
  unsigned query[kSteps][4];
  {
    const Tile<width, 0> queries(memory);
    queries.template stage<kAttentionRows>(head_rows(a.q, tile.begin + tile.first, H, head, D), tile.length - tile.first, D, aligned);
    __syncthreads();
#pragma unroll
    for (int step = 0; step < kSteps; ++step) queries.left(query[step], top, 16 * step);
  }

  const Tile<width, 0> keys(memory);
  const Tile<width, kStaged * width> values(memory);
  const int warp_first = tile.first + top, row = warp_first + lane / 4;
  const int end = causal ? min(tile.length, tile.first + kAttentionRows) : tile.length;
  // The keys that any row of this warp sees: none, where all its rows are past the sequence's end.
  const int warp_end = warp_first >= tile.length ? 0 : causal ? min(tile.length, warp_first + 16) : tile.length;

  float out[width / 8][4] = {}, most[2] = {-INFINITY, -INFINITY}, sum[2] = {};
  for (int first = 0; first < end; first += kStaged) {
    __syncthreads();
    keys.template stage<kStaged>(head_rows(a.k, tile.begin + first, G, kv_head, D), tile.length - first, D, aligned);
    values.template stage<kStaged>(head_rows(a.v, tile.begin + first, G, kv_head, D), tile.length - first, D, aligned);
    __syncthreads();
#pragma unroll 1
    for (int at = 0; at < kStaged && first + at < warp_end; at += kChunk) {
      float s[kChunk / 8][4] = {};
#pragma unroll
      for (int step = 0; step < kSteps; ++step) {
#pragma unroll
        for (int n = 0; n < kChunk / 16; ++n) {
          unsigned b[4];
          keys.right(b, at, 16 * n, 16 * step);
          multiply(s[2 * n], s[2 * n + 1], query[step], b);
        }
      }
      // Key 0 is seen by every row, so `most` is finite from the first chunk on.
      if (first + at + kChunk > (causal ? warp_first + 1 : tile.length)) mask(s, row, first + at, tile.length, causal);
      online_softmax(s, scale, most, sum, out);
      add_product(out, s, values, at);
    }
  }

  const float total[2] = {row_sum(sum[0]), row_sum(sum[1])};
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    if (row + 8 * i >= tile.length) continue;
    const long long at = (long long)(tile.begin + row + 8 * i) * H + head;
    store_row(a.o + at * D, out, i, 1 / total[i], D, aligned);
    if (lane % 4 == 0) a.lse[at] = most[i] * a.sizes.scale + logf(total[i]);
  }
}

}  // namespace

/// Heads of up to 64.
extern "C" __global__ void __launch_bounds__(kAttentionThreads, 4) attention_forward_64(AttentionForwardArgs a) {
  __shared__ __align__(256) Half memory[2 * kStaged * 64];
  attention_forward<64>(a, memory);
}

/// Heads of up to 128.
extern "C" __global__ void __launch_bounds__(kAttentionThreads, 2) attention_forward_128(AttentionForwardArgs a) {
  __shared__ __align__(256) Half memory[2 * kStaged * 128];
  attention_forward<128>(a, memory);
}

}  // namespace namesake::cuda
