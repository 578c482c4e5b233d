// Linear layers with LoRA. Prefill and backward: the rows of the activations are packed once (a tile of them at a time), then each
// task decodes one panel of 32 columns of W for the whole depth and walks the tiles. The low-rank term is simply more depth:
// R further rows under both operands. Gradients of the adapter are sums over all rows of a batch and stay in f32 where products
// of W are narrower: they are a tenth of the work, and what AdamW divides by their own size. Decode: dot products straight from
// the blocks.
#include <cstring>

#include "backend/cpu/cpu_backend.h"

namespace namesake::cpu {
namespace {

constexpr std::int64_t kPackPiece = 256;    // depth that one task packs of a LoRA factor
constexpr std::int64_t kGradRows = 512;     // rows of M that one chain of a LoRA gradient adds up
constexpr std::int64_t kSmallDecode = 1 << 16;  // multiply-adds below which waking a thread costs more than it saves
constexpr std::int64_t kSmallFactor = 1 << 13;  // values of a LoRA factor, likewise: reading them takes longer than multiplying

/// x scaled by the adapter's factor for this row: 0 where it is off, whatever x holds there.
struct RowScale {
  float factor;

  RowScale(const LoraView& lora, std::int64_t row) : factor(lora.row_on ? lora.scale * lora.row_on[row] : lora.scale) {}
  float operator()(float x) const { return factor != 0 ? x * factor : 0.0f; }
};

}  // namespace

Status CpuBackend::linear_forward(const Matrix& w, const float* bias, const LoraView* lora, const float* x, std::int64_t M,
                                  const float* residual, float* y, float* xa, Phase phase) {
  if (M <= 0) return {};
  if (phase == Phase::decode) return linear_decode(w, bias, lora, x, M, residual, y, xa);
  const Products& products = products_of(w);
  const std::int64_t N = w.rows, K = w.cols, R = lora ? lora->rank : 0, width = products.panel_width;
  const std::int64_t words = packed_words(products, K), depth = words + packed_words(products, R);
  const RowTiles tiles(M, products.tile_rows);
  const std::int64_t ranks = ceil_div(R, kPanel);
  NAMESAKE_TRY(reserve(linear_forward_scratch(M, K, R, products)));
  float* packed = shared_scratch();
  float* a_panels = packed + M * depth;

  if (R > 0) {
    const std::int64_t pieces = ceil_div(K, kPackPiece);
    NAMESAKE_TRY(for_each(ranks * pieces, [&](std::int64_t task, int) {
      const std::int64_t r = task / pieces * kPanel, k = task % pieces * kPackPiece;
      const WeightView a = view_of(lora->a + k, R, std::min(kPackPiece, K - k), K);
      products.pack_columns(a, r, std::min(kPanel, R - r), words, a_panels + r * words + k / products.values * width);
    }));
  }
  NAMESAKE_TRY(for_each(tiles.count, [&](std::int64_t t, int thread) {
    const std::int64_t start = tiles.start(t), rows = tiles.size(t);
    float* tile = packed + start * depth;
    products.pack_rows(view_of(x, M, K, K), start, rows, tile);
    if (R == 0) return;
    for (std::int64_t r = 0; r < R; r += kPanel) {
      products.tile({rows, std::min(kPanel, R - r), words, tile, rows, a_panels + r * words, width, words * width,
                     xa + start * R + r, R, nullptr, nullptr, 0});
    }
    if (!y) return;
    float* low = thread_scratch(thread);  // [rows, R]
    for (std::int64_t i = 0; i < rows; ++i) {
      const RowScale scaled(*lora, start + i);
      for (std::int64_t r = 0; r < R; ++r) low[i * R + r] = scaled(xa[(start + i) * R + r]);
    }
    products.pack_rows(view_of(low, rows, R, R), 0, rows, tile + words * rows);
  }));
  if (!y) return {};
  const std::int64_t panels = ceil_div(N, kPanel), chunks = row_chunks(panels, tiles.count);
  return for_each(panels * chunks, [&](std::int64_t task, int thread) {
    const std::int64_t n = task / chunks * kPanel, chunk = task % chunks, cols = std::min(kPanel, N - n);
    float* panel = thread_scratch(thread);
    products.pack_columns(view_of(w), n, cols, depth, panel);
    if (R > 0) products.pack_columns(view_of(lora->b, N, R, R), n, cols, depth, panel + words * width);
    for (std::int64_t t = tiles.count * chunk / chunks; t < tiles.count * (chunk + 1) / chunks; ++t) {
      const std::int64_t start = tiles.start(t), rows = tiles.size(t), at = start * N + n;
      products.tile({rows, cols, depth, packed + start * depth, rows, panel, width, depth * width, y + at, N,
                     bias ? bias + n : nullptr, residual ? residual + at : nullptr, N});
    }
  });
}

Status CpuBackend::linear_decode(const Matrix& w, const float* bias, const LoraView* lora, const float* x, std::int64_t M,
                                 const float* residual, float* y, float* xa) {
  const std::int64_t N = w.rows, K = w.cols, R = lora ? lora->rank : 0, padded = round_up(K, kPanel);
  NAMESAKE_TRY(reserve(linear_decode_scratch(M, K, R)));
  float* xs = shared_scratch();
  if (padded != K) {
    float* rows = xs + M * R;
    for (std::int64_t m = 0; m < M; ++m) {
      std::memcpy(rows + m * padded, x + m * K, static_cast<std::size_t>(K) * sizeof(float));
      std::memset(rows + m * padded + K, 0, static_cast<std::size_t>(padded - K) * sizeof(float));
    }
    x = rows;
  }
  if (R > 0) {
    const std::int64_t piece = R * K < kSmallFactor ? R : round_up(ceil_div(R, pool_.threads()), 4);
    NAMESAKE_TRY(for_each(ceil_div(R, piece), [&](std::int64_t task, int thread) {
      const std::int64_t first = task * piece, last = std::min(R, first + piece);
      kernels_.dot({view_of(lora->a, R, K, K), first, last, x, padded, M, nullptr, nullptr, 0, nullptr, nullptr, xa, R,
                    thread_scratch(thread)});
    }));
    for (std::int64_t m = 0; m < M; ++m) {
      const RowScale scaled(*lora, m);
      for (std::int64_t r = 0; r < R; ++r) xs[m * R + r] = scaled(xa[m * R + r]);
    }
  }
  const std::int64_t piece = M * N * K < kSmallDecode ? N : std::clamp<std::int64_t>(round_up(N / (8 * pool_.threads()), 4), 16, 256);
  return for_each(ceil_div(N, piece), [&](std::int64_t task, int thread) {
    const std::int64_t first = task * piece, last = std::min(N, first + piece);
    kernels_.dot({view_of(w), first, last, x, padded, M, R > 0 ? lora->b : nullptr, xs, R, bias, residual, y, N,
                  thread_scratch(thread)});
  });
}

Status CpuBackend::linear_backward(const Matrix& w, const LoraView* lora, const float* x, const float* xa, const float* dy,
                                   std::int64_t M, bool accumulate, float* dx, float* da, float* db) {
  if (M <= 0) return {};
  const Products& products = products_of(w);
  const std::int64_t N = w.rows, K = w.cols, R = lora ? lora->rank : 0, width = products.panel_width;
  const std::int64_t words = packed_words(products, N), depth = words + packed_words(products, R);
  if (R == 0 && !dx) return {};
  const RowTiles tiles(M, products.tile_rows);
  const std::int64_t ranks = ceil_div(R, kPanel);
  NAMESAKE_TRY(reserve(linear_backward_scratch(M, N, R, products)));
  float* packed = shared_scratch();
  float* b_panels = packed + M * depth;
  float* dyb = b_panels + ranks * words * kPanel;  // [M, R] scale * row_on * dy B
  float* xs = dyb + M * R + kPanel;            // [M, R] scale * row_on * xa

  if (R > 0) {
    const std::int64_t pieces = ceil_div(N, kPackPiece);
    NAMESAKE_TRY(for_each(ranks * pieces, [&](std::int64_t task, int) {
      const std::int64_t r = task / pieces * kPanel, n = task % pieces * kPackPiece;
      products.pack_slice(view_of(lora->b, N, R, R), r, n, std::min(N, n + kPackPiece), words,
                          b_panels + r * words + n / products.values * width);
    }));
  }
  NAMESAKE_TRY(for_each(tiles.count, [&](std::int64_t t, int) {
    const std::int64_t start = tiles.start(t), rows = tiles.size(t);
    float* tile = packed + start * depth;
    products.pack_rows(view_of(dy, M, N, N), start, rows, tile);
    if (R == 0) return;
    for (std::int64_t r = 0; r < R; r += kPanel) {
      products.tile({rows, std::min(kPanel, R - r), words, tile, rows, b_panels + r * words, width, words * width,
                     dyb + start * R + r, R, nullptr, nullptr, 0});
    }
    for (std::int64_t i = 0; i < rows; ++i) {
      const RowScale scaled(*lora, start + i);
      const std::int64_t row = (start + i) * R;
      for (std::int64_t r = 0; r < R; ++r) {
        dyb[row + r] = scaled(dyb[row + r]);
        xs[row + r] = scaled(xa[row + r]);
      }
    }
    products.pack_rows(view_of(dyb, M, R, R), start, rows, tile + words * rows);
  }));

  const std::int64_t panels = ceil_div(K, kPanel), chunks = row_chunks(panels, tiles.count);
  const auto input_gradient = [&](std::int64_t task, int thread) {
    const std::int64_t k = task / chunks * kPanel, chunk = task % chunks, cols = std::min(kPanel, K - k);
    float* panel = thread_scratch(thread);
    products.pack_slice(view_of(w), k, 0, N, depth, panel);
    if (R > 0) products.pack_slice(view_of(lora->a, R, K, K), k, 0, R, depth, panel + words * width);
    for (std::int64_t t = tiles.count * chunk / chunks; t < tiles.count * (chunk + 1) / chunks; ++t) {
      const std::int64_t start = tiles.start(t), rows = tiles.size(t);
      float* c = dx + start * K + k;
      products.tile({rows, cols, depth, packed + start * depth, rows, panel, width, depth * width, c, K, nullptr,
                     accumulate ? c : nullptr, K});
    }
  };
  // da: rows are ranks, columns are x's; x is read in place where a whole panel is left.
  const Products& exact = kernels_.f32;
  const RowTiles rank_tiles(R, exact.tile_rows);
  const auto a_gradient = [&](std::int64_t panel, int thread) {
    const std::int64_t k = panel * kPanel, cols = std::min(kPanel, K - k);
    const bool in_place = cols == kPanel;
    float* copy = thread_scratch(thread);
    if (!in_place) exact.pack_slice(view_of(x, M, K, K), k, 0, M, M, copy);
    for (std::int64_t m = 0; m < M; m += kGradRows) {
      const std::int64_t rows = std::min(kGradRows, M - m);
      for (std::int64_t t = 0; t < rank_tiles.count; ++t) {
        const std::int64_t r = rank_tiles.start(t);
        float* c = da + r * K + k;
        exact.tile({rank_tiles.size(t), cols, rows, dyb + m * R + r, R, in_place ? x + m * K + k : copy + m * exact.panel_width,
                    in_place ? K : exact.panel_width, in_place ? exact.panel_width : M * exact.panel_width, c, K, nullptr, c, K});
      }
    }
  };
  // db: rows are output features, columns are ranks.
  const RowTiles feature_tiles(N, exact.tile_rows);
  const auto b_gradient = [&](std::int64_t t) {
    const std::int64_t n = feature_tiles.start(t);
    for (std::int64_t m = 0; m < M; m += kGradRows) {
      for (std::int64_t r = 0; r < R; r += kPanel) {
        float* c = db + n * R + r;
        exact.tile({feature_tiles.size(t), std::min(kPanel, R - r), std::min(kGradRows, M - m), dy + m * N + n, N,
                    xs + m * R + r, R, exact.panel_width, c, R, nullptr, c, R});
      }
    }
  };
  const std::int64_t inputs = dx ? panels * chunks : 0, factors = R > 0 ? panels : 0, features = R > 0 ? feature_tiles.count : 0;
  return for_each(inputs + factors + features, [&](std::int64_t task, int thread) {
    if (task < inputs) {
      input_gradient(task, thread);
    } else if (task < inputs + factors) {
      a_gradient(task - inputs, thread);
    } else {
      b_gradient(task - inputs - factors);
    }
  });
}

}  // namespace namesake::cpu
