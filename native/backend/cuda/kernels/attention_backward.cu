// Gradients of attention over packed sequences (Dao 2023, arXiv 2307.08691): a pass over rows, one kernel for keys and values, one for
// queries; scores are computed again in each, so that no sum is shared between blocks. kAttentionThreads threads a block. Tiles are
// counted from the sequence's first row, and what is summed over is taken in order: bits depend on the sequence alone.
//
// With p = exp(s - lse) and ds = p (do v - delta):  dv = Σ p do,  dk = scale Σ ds q,  dq = scale Σ ds k.
//
// do and ds carry a power of two while they are 16 bits. The one of ds follows the largest value so far, as the
// shift of an online softmax does: where a larger one comes, the sum so far is brought to the new power, which is exact.
#include "attention_tile.cuh"
#include "reduce.cuh"

namespace namesake::cuda {
namespace {

constexpr int kWarps = kAttentionThreads / kWarp;

/// One row of one head, by a warp. delta is taken of do as products see it, rounded: with a single key in sight it then takes off
/// all of the gradient but the rounding of f32.
__device__ __forceinline__ void attention_backward_rows_of(const AttentionRowsArgs& a) {
  constexpr int kValues = kWidestHead / kWarp;
  const long long at = (long long)blockIdx.x * kWarps + threadIdx.x / kWarp;  // in [M, H]
  if (at >= a.M * a.heads) return;
  const int lane = threadIdx.x % kWarp;
  float gradient[kValues], largest = 0;
#pragma unroll
  for (int i = 0; i < kValues; ++i) {
    const int d = lane + kWarp * i;
    gradient[i] = d < a.head_dim ? a.do_[at * a.head_dim + d] : 0;
    largest = fmaxf(largest, fabsf(gradient[i]));
  }
  largest = warp_reduce<Max>(largest);
  const float power = power_for(largest), inverse = inverse_power(power);
  float delta = 0;
#pragma unroll
  for (int i = 0; i < kValues; ++i) {
    const int d = lane + kWarp * i;
    if (d < a.head_dim) delta += to_float(to_half(gradient[i] * power)) * inverse * a.o[at * a.head_dim + d];
  }
  delta = warp_reduce<Sum>(delta);
  if (lane == 0) {
    const long long to = at % a.heads * a.M + at / a.heads;
    a.rows[to] = {a.lse[at] * kLog2E, delta};
    a.largest[to] = largest;
  }
}

/// Brings ds to the power of two that its largest value so far calls for, and the sums of its products with it. i: which of the two
/// rows that a lane holds.
template <int columns, int count>
__device__ __forceinline__ void raise(float (&ds)[columns][4], float (&sums)[count][4], float (&power)[2]) {
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    float largest = 0;
#pragma unroll
    for (int n = 0; n < columns; ++n) largest = fmaxf(largest, fmaxf(fabsf(ds[n][2 * i]), fabsf(ds[n][2 * i + 1])));
    const float next = fminf(power[i], power_for(row_max(largest))), change = next * inverse_power(power[i]);
    power[i] = next;
#pragma unroll
    for (int n = 0; n < columns; ++n) {
      ds[n][2 * i] *= next;
      ds[n][2 * i + 1] *= next;
    }
#pragma unroll
    for (int n = 0; n < count; ++n) {
      sums[n][2 * i] *= change;
      sums[n][2 * i + 1] *= change;
    }
  }
}

/// The power before any value was seen: the largest.
__device__ __forceinline__ float first_power() { return power_for(0); }

/// dk and dv of 64 keys of one key/value head: grid x tiles, y key/value heads. A warp owns 16 keys, whose rows of both sums stay in
/// registers; the query heads of the group come in order, and of each the queries from the first that sees the tile.
/// One power of two serves do of all rows of the group that the block reads, since they are summed over.
template <int width, int kStaged, int kChunk>
__device__ __forceinline__ void attention_backward_keys(const AttentionBackwardArgs& a, Half* memory) {
  constexpr int kSteps = width / 16;
  const AttentionTile tile = a.sizes.tiles[blockIdx.x];
  const int H = a.sizes.heads, G = a.sizes.kv_heads, D = a.sizes.head_dim, group = H / G;
  const int kv_head = a.sizes.first_head + blockIdx.y;
  const bool causal = a.sizes.causal, aligned = a.sizes.aligned;
  const int top = threadIdx.x / kWarp * 16, lane = threadIdx.x % kWarp;
  const int warp_first = tile.first + top, key = warp_first + lane / 4;
  const int begin = causal ? tile.first : 0;  // the first query
  const float scale = a.sizes.scale * kLog2E;

  float most = 0;
  for (int head = kv_head * group; head < (kv_head + 1) * group; ++head) {
    const float* of_head = a.largest + head * a.M + tile.begin;
    for (int row = begin + threadIdx.x; row < tile.length; row += kAttentionThreads) most = fmaxf(most, of_head[row]);
  }
  const float power = power_for(block_reduce<Max, kWarps>(most, reinterpret_cast<float*>(memory)));
  __syncthreads();

  // Keys stay in shared memory, values in registers: they pass through the memory of queries and gradients.
  const Tile<width, 0> keys(memory);
  const Tile<width, kAttentionRows * width> queries(memory);
  const Tile<width, (kAttentionRows + kStaged) * width> gradients(memory);
  unsigned value[kSteps][4];
  {
    const Tile<width, kAttentionRows * width> values(memory);
    keys.template stage<kAttentionRows>(head_rows(a.k, tile.begin + tile.first, G, kv_head, D), tile.length - tile.first, D, aligned);
    values.template stage<kAttentionRows>(head_rows(a.v, tile.begin + tile.first, G, kv_head, D), tile.length - tile.first, D, aligned);
    __syncthreads();
#pragma unroll
    for (int step = 0; step < kSteps; ++step) values.left(value[step], top, 16 * step);
  }

  float dk[width / 8][4] = {}, dv[width / 8][4] = {}, dk_power[2] = {first_power(), first_power()};
  for (int head = kv_head * group; head < (kv_head + 1) * group; ++head) {
    const AttentionRow* rows = a.rows + head * a.M + tile.begin;
    for (int first = begin; first < tile.length; first += kStaged) {
      __syncthreads();
      queries.template stage<kStaged>(head_rows(a.q, tile.begin + first, H, head, D), tile.length - first, D, aligned);
      gradients.template stage<kStaged>(head_rows(a.do_, tile.begin + first, H, head, D), tile.length - first, D, aligned,
                                        [=](int) { return power; });
      __syncthreads();
      if (warp_first >= tile.length) continue;
#pragma unroll 1
      for (int at = 0; at < kStaged && first + at < tile.length; at += kChunk) {
        if (causal && first + at + kChunk <= warp_first) continue;  // no query here sees this warp's keys
        float p[kChunk / 8][4] = {}, ds[kChunk / 8][4] = {};
#pragma unroll
        for (int step = 0; step < kSteps; ++step) {
          unsigned key_rows[4];
          keys.left(key_rows, top, 16 * step);
#pragma unroll
          for (int n = 0; n < kChunk / 16; ++n) {
            unsigned b[4];
            queries.right(b, at, 16 * n, 16 * step);
            multiply(p[2 * n], p[2 * n + 1], key_rows, b);
            gradients.right(b, at, 16 * n, 16 * step);
            multiply(ds[2 * n], ds[2 * n + 1], value[step], b);
          }
        }
#pragma unroll
        for (int n = 0; n < kChunk / 8; ++n) {
#pragma unroll
          for (int j = 0; j < 2; ++j) {
            const int query = first + at + 8 * n + 2 * (lane % 4) + j;
            // Past the sequence's end a query's row of do is 0, and so is all that it adds; what is summed for a key there is not kept.
            const AttentionRow row = query < tile.length ? rows[query] : AttentionRow{};
#pragma unroll
            for (int i = 0; i < 2; ++i) {
              const bool seen = !causal || key + 8 * i <= query;
              // ex2.approx: two units in the last place of a weight that is then rounded to 16 bits.
              p[n][2 * i + j] = seen ? exp2_approx(fmaf(p[n][2 * i + j], scale, -row.lse)) : 0;
              ds[n][2 * i + j] = p[n][2 * i + j] * (ds[n][2 * i + j] - row.delta * power);
            }
          }
        }
        raise(ds, dk, dk_power);
#pragma unroll
        for (int k = 0; k < kChunk / 16; ++k) {
          unsigned weights[4], slopes[4];
          as_left(weights, p[2 * k], p[2 * k + 1]);
          as_left(slopes, ds[2 * k], ds[2 * k + 1]);
#pragma unroll
          for (int n = 0; n < kSteps; ++n) {
            unsigned b[4];
            gradients.right_summed(b, at, 16 * k, 16 * n);
            multiply(dv[2 * n], dv[2 * n + 1], weights, b);
            queries.right_summed(b, at, 16 * k, 16 * n);
            multiply(dk[2 * n], dk[2 * n + 1], slopes, b);
          }
        }
      }
    }
  }

#pragma unroll
  for (int i = 0; i < 2; ++i) {
    if (key + 8 * i >= tile.length) continue;
    const long long at = ((long long)(tile.begin + key + 8 * i) * G + kv_head) * D;
    store_row(a.dk + at, dk, i, inverse_power(dk_power[i]) * a.sizes.scale * inverse_power(power), D, aligned);
    store_row(a.dv + at, dv, i, inverse_power(power), D, aligned);
  }
}

/// dq of 64 queries of one head: grid x tiles, y heads. A warp owns 16 queries, which stay in registers with their rows of do; each of
/// these has its own power of two.
template <int width, int kStaged, int kChunk>
__device__ __forceinline__ void attention_backward_queries(const AttentionBackwardArgs& a, Half* memory) {
  constexpr int kSteps = width / 16;
  const AttentionTile tile = a.sizes.tiles[blockIdx.x];
  const int H = a.sizes.heads, G = a.sizes.kv_heads, D = a.sizes.head_dim;
  const int head = a.sizes.first_head + blockIdx.y, kv_head = head / (H / G);
  const bool causal = a.sizes.causal, aligned = a.sizes.aligned;
  const int top = threadIdx.x / kWarp * 16, lane = threadIdx.x % kWarp;
  const int warp_first = tile.first + top, query = warp_first + lane / 4;
  const float scale = a.sizes.scale * kLog2E;
  const float* largest = a.largest + head * a.M + tile.begin;

  // Queries, then gradients pass through the memory of keys and values.
  unsigned query_rows[kSteps][4], gradient[kSteps][4];
  {
    const Tile<width, 0> passing(memory);
    passing.template stage<kAttentionRows>(head_rows(a.q, tile.begin + tile.first, H, head, D), tile.length - tile.first, D, aligned);
    __syncthreads();
#pragma unroll
    for (int step = 0; step < kSteps; ++step) passing.left(query_rows[step], top, 16 * step);
    __syncthreads();
    passing.template stage<kAttentionRows>(head_rows(a.do_, tile.begin + tile.first, H, head, D), tile.length - tile.first, D, aligned,
                                           [=](int row) { return power_for(largest[tile.first + row]); });
    __syncthreads();
#pragma unroll
    for (int step = 0; step < kSteps; ++step) passing.left(gradient[step], top, 16 * step);
  }
  AttentionRow row[2] = {};
  float power[2] = {1, 1};
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    if (query + 8 * i >= tile.length) continue;
    row[i] = a.rows[head * a.M + tile.begin + query + 8 * i];
    power[i] = power_for(largest[query + 8 * i]);
    row[i].delta *= power[i];
  }

  const Tile<width, 0> keys(memory);
  const Tile<width, kStaged * width> values(memory);
  const int end = causal ? min(tile.length, tile.first + kAttentionRows) : tile.length;
  const int warp_end = warp_first >= tile.length ? 0 : causal ? min(tile.length, warp_first + 16) : tile.length;
  float dq[width / 8][4] = {}, dq_power[2] = {first_power(), first_power()};
  for (int first = 0; first < end; first += kStaged) {
    __syncthreads();
    keys.template stage<kStaged>(head_rows(a.k, tile.begin + first, G, kv_head, D), tile.length - first, D, aligned);
    values.template stage<kStaged>(head_rows(a.v, tile.begin + first, G, kv_head, D), tile.length - first, D, aligned);
    __syncthreads();
#pragma unroll 1
    for (int at = 0; at < kStaged && first + at < warp_end; at += kChunk) {
      float s[kChunk / 8][4] = {}, ds[kChunk / 8][4] = {};
#pragma unroll
      for (int step = 0; step < kSteps; ++step) {
#pragma unroll
        for (int n = 0; n < kChunk / 16; ++n) {
          unsigned b[4];
          keys.right(b, at, 16 * n, 16 * step);
          multiply(s[2 * n], s[2 * n + 1], query_rows[step], b);
          values.right(b, at, 16 * n, 16 * step);
          multiply(ds[2 * n], ds[2 * n + 1], gradient[step], b);
        }
      }
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        const int seen = causal ? min(tile.length, query + 8 * i + 1) : tile.length;
#pragma unroll
        for (int n = 0; n < kChunk / 8; ++n) {
#pragma unroll
          for (int j = 0; j < 2; ++j) {
            const int key = first + at + 8 * n + 2 * (lane % 4) + j;
            const float p = key < seen ? exp2_approx(fmaf(s[n][2 * i + j], scale, -row[i].lse)) : 0;
            ds[n][2 * i + j] = p * (ds[n][2 * i + j] - row[i].delta);
          }
        }
      }
      raise(ds, dq, dq_power);
      add_product(dq, ds, keys, at);
    }
  }

#pragma unroll
  for (int i = 0; i < 2; ++i) {
    if (query + 8 * i >= tile.length) continue;
    const long long at = ((long long)(tile.begin + query + 8 * i) * H + head) * D;
    store_row(a.dq + at, dq, i, inverse_power(dq_power[i]) * a.sizes.scale * inverse_power(power[i]), D, aligned);
  }
}

}  // namespace

/// A warp a row, kAttentionThreads threads; heads of up to kWidestHead.
extern "C" __global__ void __launch_bounds__(kAttentionThreads) attention_backward_rows(AttentionRowsArgs a) {
  attention_backward_rows_of(a);
}

/// Heads of up to 64.
extern "C" __global__ void __launch_bounds__(kAttentionThreads, 2) attention_backward_keys_64(AttentionBackwardArgs a) {
  __shared__ __align__(256) Half memory[(kAttentionRows + 2 * 64) * 64];
  attention_backward_keys<64, 64, 32>(a, memory);
}

/// Heads of up to 128.
extern "C" __global__ void __launch_bounds__(kAttentionThreads, 2) attention_backward_keys_128(AttentionBackwardArgs a) {
  __shared__ __align__(256) Half memory[(kAttentionRows + 2 * 32) * 128];
  attention_backward_keys<128, 32, 16>(a, memory);
}

/// Heads of up to 64.
extern "C" __global__ void __launch_bounds__(kAttentionThreads, 3) attention_backward_queries_64(AttentionBackwardArgs a) {
  __shared__ __align__(256) Half memory[2 * 64 * 64];
  attention_backward_queries<64, 64, 32>(a, memory);
}

/// Heads of up to 128.
extern "C" __global__ void __launch_bounds__(kAttentionThreads, 2) attention_backward_queries_128(AttentionBackwardArgs a) {
  __shared__ __align__(256) Half memory[2 * 32 * 128];
  attention_backward_queries<128, 32, 32>(a, memory);
}

}  // namespace namesake::cuda
