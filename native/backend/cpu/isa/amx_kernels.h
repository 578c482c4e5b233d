// Products by AMX's tiles, after bf16_kernels.h: operands rounded to bf16, two of them a word, sums in f32. Subnormals count as 0.
//
// A B that is packed for vdpbf16ps is as tdpbf16ps takes it: 16 words of depth of 16 columns are a tile. A's tile is 16 rows of 16
// words of depth each. `Tiles` has the instructions: AmxTiles, or what tests put in its place.

#include "backend/cpu/isa/tile_config.h"

namespace namesake::cpu::avx512 {
namespace {

constexpr int64_t kSide = 16;               // rows of a tile, and 32-bit words of a row
constexpr int64_t kAmxRows = 2 * kSide;     // rows of C: two tiles by two
constexpr int64_t kRowBytes = kSide * 4;

static_assert(kSide == kLanes && kWidth == 2 * kSide, "a vector of decoded words is a row of A's tile, a panel is two tiles wide");
static_assert(kAmxRows == kPanel, "what narrow_columns makes is one tile");

constexpr int64_t whole_tiles(int64_t words) { return (words + kSide - 1) / kSide * kSide; }

template <WeightType type>
inline void rows_of_tiles(const WeightView& w, int64_t n0, int64_t rows, float* out) {
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t k = 0; k < w.cols; k += kPanel) {
      V words[1];
      Bf16Words::decode<type>(w, n0 + i, k, words);
      store(out + (k / kPanel * rows + i) * kSide, words[0]);
    }
  }
}

inline void pack_rows_of_tiles(const WeightView& w, int64_t n0, int64_t rows, float* out) {
#define NAMESAKE_CALL(type) rows_of_tiles<type>(w, n0, rows, out)
  NAMESAKE_BY_TYPE(w.type, NAMESAKE_CALL)
#undef NAMESAKE_CALL
}

/// Zeros after the words of a panel, up to a whole tile.
inline void pad(float* panel, int64_t words) {
  for (int64_t k = words; k < whole_tiles(words); ++k) {
    store(panel + k * kWidth, zero());
    store(panel + k * kWidth + kLanes, zero());
  }
}

inline void pack_padded_columns(const WeightView& w, int64_t n0, int64_t rows, int64_t depth, float* out) {
  pack_columns<Bf16Words>(w, n0, rows, depth, out);
  pad(out, (w.cols + 1) / 2);
}

inline void pack_padded_slice(const WeightView& w, int64_t col0, int64_t n0, int64_t n1, int64_t depth, float* out) {
  pack_slice_pairs(w, col0, n0, n1, depth, out);
  pad(out, (n1 - n0 + 1) / 2);
}

/// 32 values of each of 32 lanes at a time, which is twice what they become.
inline void narrow_columns_to_tiles(float* x, int64_t n) {
  const auto row = [&](int64_t i, int v) { return i < n ? load(x + i * kPanel + v * kLanes) : zero(); };
  for (int64_t k = 0; k < n; k += kPanel) {
    V words[2][kSide];
    for (int v = 0; v < 2; ++v) {
      for (int64_t i = 0; i < kSide; ++i) words[v][i] = pair(row(k + 2 * i, v), row(k + 2 * i + 1, v));
      transpose(words[v]);
    }
    for (int v = 0; v < 2; ++v) {
      for (int64_t i = 0; i < kSide; ++i) store(x + (k / kPanel * kPanel + v * kLanes + i) * kSide, words[v][i]);
    }
  }
}

/// Rows of A and C that this thread's tiles are configured for, 0 = tiles are not in use.
thread_local int64_t configured_rows = 0;

/// Tiles 0 1 / 2 3 are C, 4 / 5 are A, 6 7 are B.
template <class Tiles>
inline void configure(int64_t rows) {
  const auto top = static_cast<uint8_t>(rows < kSide ? rows : kSide);
  const auto bottom = static_cast<uint8_t>(rows > kSide ? rows - kSide : kSide);  // where there are none it is not used
  TileConfig config = {};
  config.palette = 1;
  const uint8_t heights[8] = {top, top, bottom, bottom, top, bottom, kSide, kSide};
  for (int tile = 0; tile < 8; ++tile) {
    config.rows[tile] = heights[tile];
    config.row_bytes[tile] = kRowBytes;
  }
  Tiles::configure(config);
  configured_rows = rows;
}

template <class Tiles>
inline void release_tiles() {
  if (configured_rows == 0) return;
  Tiles::release();
  configured_rows = 0;
}

/// C of Rows x Columns tiles to c, `stride` bytes from row to row.
template <class Tiles, int Rows, int Columns>
inline void multiply_tiles(const TileArgs& t, float* c, int64_t stride) {
  Tiles::template zero<0>();
  if constexpr (Columns > 1) Tiles::template zero<1>();
  if constexpr (Rows > 1) Tiles::template zero<2>();
  if constexpr (Rows > 1 && Columns > 1) Tiles::template zero<3>();
  const float *a = t.a, *b = t.b;
  const int64_t b_stride = t.b_step * 4;
  for (int64_t k = 0; k < t.depth; k += kSide) {
    Tiles::template load<6>(b, b_stride);
    if constexpr (Columns > 1) Tiles::template load<7>(b + kSide, b_stride);
    Tiles::template load_streamed<4>(a, kRowBytes);
    if constexpr (Rows > 1) Tiles::template load_streamed<5>(a + kSide * kSide, kRowBytes);
    Tiles::template multiply<0, 4, 6>();
    if constexpr (Columns > 1) Tiles::template multiply<1, 4, 7>();
    if constexpr (Rows > 1) Tiles::template multiply<2, 5, 6>();
    if constexpr (Rows > 1 && Columns > 1) Tiles::template multiply<3, 5, 7>();
    a += t.a_step * kSide;
    b += t.b_step * kSide;
  }
  Tiles::template store<0>(c, stride);
  if constexpr (Columns > 1) Tiles::template store<1>(c + kSide, stride);
  float* lower = c + stride / 4 * kSide;
  if constexpr (Rows > 1) Tiles::template store<2>(lower, stride);
  if constexpr (Rows > 1 && Columns > 1) Tiles::template store<3>(lower + kSide, stride);
}

template <class Tiles>
inline void multiply_tiles(const TileArgs& t, float* c, int64_t stride) {
  if (t.rows > kSide) {
    t.cols > kSide ? multiply_tiles<Tiles, 2, 2>(t, c, stride) : multiply_tiles<Tiles, 2, 1>(t, c, stride);
  } else {
    t.cols > kSide ? multiply_tiles<Tiles, 1, 2>(t, c, stride) : multiply_tiles<Tiles, 1, 1>(t, c, stride);
  }
}

template <class Tiles>
inline void tile_by_tiles(const TileArgs& t) {
  if (configured_rows != t.rows) configure<Tiles>(t.rows);
  if (t.cols == kWidth && !t.bias && !t.add) return multiply_tiles<Tiles>(t, t.c, t.ldc * 4);
  alignas(64) float sums[kAmxRows * kWidth];
  multiply_tiles<Tiles>(t, sums, kWidth * 4);
  for (int64_t j = 0; j < t.cols; j += kLanes) {
    const int64_t left = t.cols - j;
    const V bias = t.bias ? load_n(t.bias + j, left) : zero();
    for (int64_t i = 0; i < t.rows; ++i) {
      V y = load(sums + i * kWidth + j);
      if (t.bias) y = add(y, bias);
      if (t.add) y = add(y, load_n(t.add + i * t.ld_add + j, left));
      store_n(t.c + i * t.ldc + j, y, left);
    }
  }
}

template <class Tiles>
inline float burst_of_tiles(int64_t rounds) {
  configure<Tiles>(kAmxRows);
  for (int64_t round = 0; round < rounds; ++round) {
    Tiles::template multiply<0, 4, 6>();
    Tiles::template multiply<1, 4, 7>();
    Tiles::template multiply<2, 5, 6>();
    Tiles::template multiply<3, 5, 7>();
  }
  release_tiles<Tiles>();
  return 0;  // instructions that are written out are never left out
}
constexpr int64_t kBurstFlops = 4 * 2 * kSide * kSide * kSide * Bf16Words::kValues;

template <class Tiles>
constexpr Products kProductsByTiles = {Bf16Words::kValues, kAmxRows, kWidth, kSide, pack_rows_of_tiles, pack_padded_columns,
                                       pack_padded_slice, narrow_columns_to_tiles, tile_by_tiles<Tiles>, release_tiles<Tiles>,
                                       burst_of_tiles<Tiles>, kBurstFlops};

}  // namespace
}  // namespace namesake::cpu::avx512
