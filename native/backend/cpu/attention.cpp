// Block-diagonal attention for training. A task owns one head and 32 queries of one sequence (forward), or one whole head of
// one sequence (backward). Scores are kept as [key][32 queries]: softmax then runs down the columns without ever meeting
// another query, and the same buffer is the left operand of the products that follow. Query tiles start at the sequence's
// first row, and hidden keys add exact zeros, so a row's bits do not depend on how the batch is packed.
#include <cmath>
#include <cstring>

#include "backend/cpu/cpu_backend.h"

namespace namesake::cpu {
namespace {

/// Rows [T, D] of one head of one sequence inside [M, heads, D].
struct Head {
  const float* data;
  std::int64_t T, D, stride;
  WeightView view() const { return view_of(data, T, D, stride); }
};

/// Packs rows into tiles [D][rows of the tile], one after the other (T * D floats).
void pack_tiles(const KernelTable& kernels, const Head& head, float* out) {
  const RowTiles tiles(head.T, kernels.f32.tile_rows);
  for (std::int64_t t = 0; t < tiles.count; ++t) {
    kernels.f32.pack_rows(head.view(), tiles.start(t), tiles.size(t), out + tiles.start(t) * head.D);
  }
}

/// Packs rows as they are into panels of 32 columns, [columns / 32][T][32] in the kernels' panel layout.
void pack_panels(const KernelTable& kernels, const Head& head, std::int64_t first, std::int64_t rows, float* out) {
  for (std::int64_t d = 0; d < head.D; d += kPanel) kernels.f32.pack_slice(head.view(), d, first, first + rows, rows, out + d * rows);
}

/// s [keys][32] = tiles of keys times `columns` (32 queries, packed as columns): rows first..keys.
void score(const KernelTable& kernels, const float* tiles_data, std::int64_t T, std::int64_t keys, std::int64_t D,
           const float* columns, float* s) {
  const RowTiles tiles(T, kernels.f32.tile_rows);
  const std::int64_t width = kernels.f32.panel_width;
  for (std::int64_t t = 0; t < tiles.count && tiles.start(t) < keys; ++t) {
    const std::int64_t start = tiles.start(t), rows = tiles.size(t);
    kernels.f32.tile({rows, kPanel, D, tiles_data + start * D, rows, columns, width, D * width, s + start * kPanel, kPanel, nullptr,
                  nullptr, 0});
  }
}

/// out [rows of queries, D] = weights [keys][32] transposed times panels of `length` keys.
void gather(const KernelTable& kernels, const float* weights, std::int64_t rows, std::int64_t keys, const float* panels,
            std::int64_t length, std::int64_t D, float* out, std::int64_t stride) {
  const RowTiles tiles(rows, kernels.f32.tile_rows);
  const std::int64_t width = kernels.f32.panel_width;
  for (std::int64_t d = 0; d < D; d += kPanel) {
    for (std::int64_t t = 0; t < tiles.count; ++t) {
      const std::int64_t i = tiles.start(t);
      kernels.f32.tile({tiles.size(t), std::min(kPanel, D - d), keys, weights + i, kPanel, panels + d * length, width,
                    length * width, out + i * stride + d, stride, nullptr, nullptr, 0});
    }
  }
}

/// out [keys, D] += weights [keys][32] times panels of `rows` queries.
void scatter(const KernelTable& kernels, const float* weights, std::int64_t rows, std::int64_t keys, const float* panels,
             std::int64_t D, float* out) {
  const RowTiles tiles(keys, kernels.f32.tile_rows);
  const std::int64_t width = kernels.f32.panel_width;
  for (std::int64_t d = 0; d < D; d += kPanel) {
    for (std::int64_t t = 0; t < tiles.count; ++t) {
      const std::int64_t key = tiles.start(t);
      float* c = out + key * D + d;
      kernels.tile_transposed({tiles.size(t), std::min(kPanel, D - d), rows, weights + key * kPanel, 1, panels + d * rows, width,
                               rows * width, c, D, nullptr, c, D});
    }
  }
}

std::int64_t longest(const std::int32_t* cu_seqlens, std::int64_t S) {
  std::int64_t most = 0;
  for (std::int64_t s = 0; s < S; ++s) most = std::max<std::int64_t>(most, cu_seqlens[s + 1] - cu_seqlens[s]);
  return most;
}

}  // namespace

Status CpuBackend::attention_forward(const float* q, const float* k, const float* v, const std::int32_t* cu_seqlens,
                                     std::int64_t S, const AttentionShape& shape, float* o, float* lse) {
  const std::int64_t M = S > 0 ? cu_seqlens[S] : 0, H = shape.heads, G = shape.kv_heads, D = shape.head_dim;
  if (M == 0) return {};
  const std::int64_t padded = round_up(D, kPanel), T_max = longest(cu_seqlens, S);
  // Query tiles of the batch: (sequence, first row), the longest rows of keys first, as far as one sequence goes.
  std::int64_t query_tiles = 0;
  for (std::int64_t s = 0; s < S; ++s) query_tiles += ceil_div(cu_seqlens[s + 1] - cu_seqlens[s], kPanel);
  NAMESAKE_TRY(reserve(attention_forward_scratch(M, T_max, query_tiles, shape)));
  float* key_tiles = shared_scratch();               // [G][M * D]
  float* value_panels = key_tiles + M * G * D;       // [G][M * padded]
  auto* list = reinterpret_cast<std::int32_t*>(value_panels + M * G * padded);
  std::int64_t listed = 0;
  for (std::int64_t s = 0; s < S; ++s) {
    const std::int32_t T = cu_seqlens[s + 1] - cu_seqlens[s];
    for (std::int64_t tile = ceil_div(T, kPanel) - 1; tile >= 0; --tile) {
      list[2 * listed] = static_cast<std::int32_t>(s);
      list[2 * listed++ + 1] = static_cast<std::int32_t>(tile * kPanel);
    }
  }
  NAMESAKE_TRY(for_each(S * G, [&](std::int64_t task, int) {
    const std::int64_t s = task / G, g = task % G, row = cu_seqlens[s], T = cu_seqlens[s + 1] - row;
    const std::int64_t at = (row * G + g) * D;
    pack_tiles(kernels_, {k + at, T, D, G * D}, key_tiles + (g * M + row) * D);
    pack_panels(kernels_, {v + at, T, D, G * D}, 0, T, value_panels + (g * M + row) * padded);
  }));
  return for_each(query_tiles * H, [&](std::int64_t task, int thread) {
    const std::int64_t s = list[2 * (task / H)], first = list[2 * (task / H) + 1], h = task % H, g = h / (H / G);
    const std::int64_t row = cu_seqlens[s], T = cu_seqlens[s + 1] - row, rows = std::min(kPanel, T - first);
    const std::int64_t keys = shape.causal ? first + rows : T, at = ((row + first) * H + h) * D;
    float* scores = thread_scratch(thread);
    float* columns = scores + T_max * kPanel;
    kernels_.f32.pack_columns(view_of(q + at, rows, D, H * D), 0, rows, D, columns);
    score(kernels_, key_tiles + (g * M + row) * D, T, keys, D, columns, scores);
    float max[kPanel], sum[kPanel];
    kernels_.softmax_columns(scores, keys, shape.causal ? first : -1, shape.scale, max, sum);
    gather(kernels_, scores, rows, keys, value_panels + (g * M + row) * padded, T, D, o + at, H * D);
    for (std::int64_t i = 0; i < rows; ++i) {
      const float inverse = 1.0f / sum[i];
      float* out = o + at + i * H * D;
      for (std::int64_t d = 0; d < D; ++d) out[d] *= inverse;
      lse[(row + first + i) * H + h] = max[i] + std::log(sum[i]);
    }
  });
}

Status CpuBackend::attention_backward(const float* do_, const float* q, const float* k, const float* v, const float* o,
                                      const float* lse, const std::int32_t* cu_seqlens, std::int64_t S,
                                      const AttentionShape& shape, float* dq, float* dk, float* dv) {
  const std::int64_t M = S > 0 ? cu_seqlens[S] : 0, H = shape.heads, G = shape.kv_heads, D = shape.head_dim, group = H / G;
  if (M == 0) return {};
  const std::int64_t padded = round_up(D, kPanel), T_max = longest(cu_seqlens, S);
  NAMESAKE_TRY(reserve(attention_backward_scratch(M, T_max, shape)));
  float* key_tiles = shared_scratch();             // [G][M * D]
  float* value_tiles = key_tiles + M * G * D;      // [G][M * D]
  float* key_panels = value_tiles + M * G * D;     // [G][M * padded]
  float* dk_heads = key_panels + M * G * padded;   // [H][M * D]: one per query head, added up at the end
  float* dv_heads = dk_heads + M * H * D;          // [H][M * D]
  NAMESAKE_TRY(for_each(S * G, [&](std::int64_t task, int) {
    const std::int64_t s = task / G, g = task % G, row = cu_seqlens[s], T = cu_seqlens[s + 1] - row;
    const std::int64_t at = (row * G + g) * D;
    pack_tiles(kernels_, {k + at, T, D, G * D}, key_tiles + (g * M + row) * D);
    pack_tiles(kernels_, {v + at, T, D, G * D}, value_tiles + (g * M + row) * D);
    pack_panels(kernels_, {k + at, T, D, G * D}, 0, T, key_panels + (g * M + row) * padded);
  }));
  NAMESAKE_TRY(for_each(S * H, [&](std::int64_t task, int thread) {
    const std::int64_t s = task / H, h = task % H, g = h / group, row = cu_seqlens[s], T = cu_seqlens[s + 1] - row;
    float* p = thread_scratch(thread);
    float* ds = p + T_max * kPanel;
    float* columns = ds + T_max * kPanel;
    float* do_columns = columns + padded * kPanel;
    float* panels = do_columns + padded * kPanel;
    float* do_panels = panels + padded * kPanel;
    float* dk_head = dk_heads + (h * M + row) * D;
    float* dv_head = dv_heads + (h * M + row) * D;
    std::memset(dk_head, 0, static_cast<std::size_t>(T * D) * sizeof(float));
    std::memset(dv_head, 0, static_cast<std::size_t>(T * D) * sizeof(float));
    for (std::int64_t first = 0; first < T; first += kPanel) {
      const std::int64_t rows = std::min(kPanel, T - first), keys = shape.causal ? first + rows : T;
      const std::int64_t at = ((row + first) * H + h) * D;
      const Head query{q + at, rows, D, H * D}, gradient{do_ + at, rows, D, H * D};
      float norm[kPanel] = {}, delta[kPanel] = {};
      for (std::int64_t i = 0; i < rows; ++i) {
        norm[i] = lse[(row + first + i) * H + h];
        delta[i] = kernels_.dot_row(do_ + at + i * H * D, o + at + i * H * D, D);
      }
      kernels_.f32.pack_columns(query.view(), 0, rows, D, columns);
      kernels_.f32.pack_columns(gradient.view(), 0, rows, D, do_columns);
      pack_panels(kernels_, query, 0, rows, panels);
      pack_panels(kernels_, gradient, 0, rows, do_panels);
      score(kernels_, key_tiles + (g * M + row) * D, T, keys, D, columns, p);
      score(kernels_, value_tiles + (g * M + row) * D, T, keys, D, do_columns, ds);
      kernels_.softmax_columns_backward(p, ds, keys, shape.causal ? first : -1, shape.scale, norm, delta);
      gather(kernels_, ds, rows, keys, key_panels + (g * M + row) * padded, T, D, dq + at, H * D);
      scatter(kernels_, ds, rows, keys, panels, D, dk_head);
      scatter(kernels_, p, rows, keys, do_panels, D, dv_head);
    }
  }));
  return for_pieces(M, 32, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t m = first; m < last; ++m) {
      for (std::int64_t g = 0; g < G; ++g) {
        float* to_k = dk + (m * G + g) * D;
        float* to_v = dv + (m * G + g) * D;
        std::memcpy(to_k, dk_heads + (g * group * M + m) * D, static_cast<std::size_t>(D) * sizeof(float));
        std::memcpy(to_v, dv_heads + (g * group * M + m) * D, static_cast<std::size_t>(D) * sizeof(float));
        for (std::int64_t h = g * group + 1; h < (g + 1) * group; ++h) {
          kernels_.add_row(dk_heads + (h * M + m) * D, D, to_k);
          kernels_.add_row(dv_heads + (h * M + m) * D, D, to_v);
        }
      }
    }
  });
}

Status CpuBackend::kv_write(const float* k, const float* v, const std::int32_t* slots, const std::int32_t* positions,
                            std::int64_t M, std::int64_t kv_heads, std::int64_t head_dim, const KvView& cache) {
  const std::int64_t row = kv_heads * head_dim;
  for (std::int64_t m = 0; m < M; ++m) {
    const std::int64_t at = (slots[m] * cache.capacity + positions[m]) * row;
    std::memcpy(cache.k + at, k + m * row, static_cast<std::size_t>(row) * sizeof(float));
    std::memcpy(cache.v + at, v + m * row, static_cast<std::size_t>(row) * sizeof(float));
  }
  return {};
}

Status CpuBackend::attention_cached(const float* q, const std::int32_t* slots, const std::int32_t* positions, std::int64_t M,
                                    const AttentionShape& shape, const KvView& cache, float* o) {
  const std::int64_t H = shape.heads, G = shape.kv_heads, D = shape.head_dim;
  std::int64_t keys_max = 0, keys_all = 0;
  for (std::int64_t m = 0; m < M; ++m) {
    keys_max = std::max<std::int64_t>(keys_max, positions[m] + 1);
    keys_all += positions[m] + 1;
  }
  NAMESAKE_TRY(reserve(attention_cached_scratch(keys_max)));
  // Heads of one group read the same keys and values, which a second thread would fetch from memory again; where there are too few
  // groups to share them out evenly, each thread takes a run of heads. A waking thread costs a few microseconds: a short context is
  // done sooner alone.
  const std::int64_t threads = pool_.threads(), group = H / G, together = M * G >= 2 * threads ? group : ceil_div(M * H, threads);
  const std::int64_t piece = std::max<std::int64_t>(1, keys_all * H * D < (1 << 15) ? M * H : together);
  return for_each(ceil_div(M * H, piece), [&](std::int64_t task, int thread) {
    const std::int64_t last = std::min(M * H, (task + 1) * piece);
    for (std::int64_t i = task * piece, heads = 0; i < last; i += heads) {
      const std::int64_t m = i / H, g = i % H / group, at = (slots[m] * cache.capacity * G + g) * D;
      heads = std::min(last, m * H + (g + 1) * group) - i;
      kernels_.attention_heads(q + i * D, heads, cache.k + at, cache.v + at, G * D, positions[m] + 1, D, shape.scale,
                               thread_scratch(thread), o + i * D);
    }
  });
}

}  // namespace namesake::cpu
