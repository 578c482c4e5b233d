// The matrix product's inner loop: a tile of C held in registers over the whole depth. See TileArgs.

namespace namesake::cpu::NAMESAKE_ISA {
namespace {

/// sum += the products of a word of A, in every lane of x, with those of B's columns.
struct F32Product {
  static inline V accumulate(V x, V column, V sum) { return fma(x, column, sum); }
  // Through the factor: where the product of x and y is an instruction of its own, it would not depend on the chain.
  static inline V chain(V sum, V x, V y) { return fma(sum, x, y); }
};

/// Chains that do not wait for each other: a tile's, and where that has few, enough to hide what a multiply and an add take.
constexpr int kChains = 2 * kTileRows > 12 ? 2 * kTileRows : 12;

template <class Product>
inline float burst(int64_t rounds) {
  V sum[kChains];
#pragma GCC unroll 32
  for (int i = 0; i < kChains; ++i) sum[i] = set1(static_cast<float>(i));
  const V x = set1(0.999f), y = set1(0.001f);
  for (int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 32
    for (int i = 0; i < kChains; ++i) sum[i] = Product::chain(sum[i], x, y);
  }
  V all = zero();
#pragma GCC unroll 32
  for (int i = 0; i < kChains; ++i) all = add(all, sum[i]);
  return reduce_add(all);
}

/// Of a product whose words hold `values` values.
constexpr int64_t burst_flops(int64_t values) { return 2 * kChains * kLanes * values; }

/// Rows x Vectors accumulators. Stride is the distance of A's rows: 1 for packed rows, kPanel for transposed ones.
template <class Product, int Rows, int Vectors, int Stride>
inline void micro(const TileArgs& t, const float* b, int64_t col) {
  V sum[Rows][Vectors];
#pragma GCC unroll 16
  for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 2
    for (int v = 0; v < Vectors; ++v) sum[i][v] = zero();
  }
  const float* a = t.a;
  for (int64_t k = 0; k < t.depth; ++k) {
    V column[Vectors];
#pragma GCC unroll 2
    for (int v = 0; v < Vectors; ++v) column[v] = load(b + v * kLanes);
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i) {
      const V x = set1(a[i * Stride]);
#pragma GCC unroll 2
      for (int v = 0; v < Vectors; ++v) sum[i][v] = Product::accumulate(x, column[v], sum[i][v]);
    }
    a += t.a_step;
    b += t.b_step;
  }
#pragma GCC unroll 2
  for (int v = 0; v < Vectors; ++v) {
    const int64_t j = col + v * kLanes, left = t.cols - j;
    if (left <= 0) break;
    const bool whole = left >= kLanes;
    const V bias = t.bias ? (whole ? load(t.bias + j) : load_n(t.bias + j, left)) : zero();
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i) {
      V y = sum[i][v];
      if (t.bias) y = add(y, bias);
      if (t.add) {
        const float* more = t.add + i * t.ld_add + j;
        y = add(y, whole ? load(more) : load_n(more, left));
      }
      float* c = t.c + i * t.ldc + j;
      whole ? store(c, y) : store_n(c, y, left);
    }
  }
}

template <class Product, int Rows, int Stride>
inline void panel(const TileArgs& t, const float* b, int64_t col) {
  if (t.rows == Rows) {
    t.cols - col > kLanes ? micro<Product, Rows, 2, Stride>(t, b, col) : micro<Product, Rows, 1, Stride>(t, b, col);
  } else if constexpr (Rows > 1) {
    panel<Product, Rows - 1, Stride>(t, b, col);
  }
}

template <class Product>
inline void tile(const TileArgs& t) {
  for (int64_t col = 0; col < t.cols; col += kWidth) panel<Product, kTileRows, 1>(t, t.b + col / kWidth * t.b_panel, col);
}

inline void tile_transposed(const TileArgs& args) {
  TileArgs t = args;
  t.a_step = 1;
  for (int64_t col = 0; col < t.cols; col += kWidth) {
    panel<F32Product, kTileRows, static_cast<int>(kPanel)>(t, t.b + col / kWidth * t.b_panel, col);
  }
}

}  // namespace
}  // namespace namesake::cpu::NAMESAKE_ISA
