// Decode products: four rows of W against a few rows of x. Lanes run over k in steps of kLanes, one accumulator an element,
// and reduce4 adds the lanes up: the same order for every number of rows of x, decoded in registers or beforehand.

namespace namesake::cpu::NAMESAKE_ISA {
namespace {

constexpr int kDotRows = 4;

/// What one call of dot_tile reads. The low-rank term goes into the same lanes before they are added up, so a row of xs that is
/// 0 leaves the bits of the plain product.
struct DotTile {
  const uint8_t* rows[kDotRows];  ///< of W
  const WeightView* w;            ///< the matrix that has them; nf4 needs its scales
  int64_t blocks;
  int64_t ahead;                  ///< bytes to the rows of the next tile: rows are too short for the hardware to foresee them
  const float* x;
  int64_t ldx;
  const float* b[kDotRows];       ///< rows of lora_b, where rank > 0
  const float* xs;                ///< [columns, rank]
  int64_t rank;
};

/// sums[c * 4 + r] = row r of W times row c of x.
template <WeightType type, int Columns>
inline void dot_tile(const DotTile& t, float* sums) {
  V sum[Columns][kDotRows];
#pragma GCC unroll 8
  for (int c = 0; c < Columns; ++c) {
#pragma GCC unroll 4
    for (int r = 0; r < kDotRows; ++r) sum[c][r] = zero();
  }
  const uint8_t* const rows[kDotRows] = {t.rows[0], t.rows[1], t.rows[2], t.rows[3]};
  const int64_t ldx = t.ldx, blocks = t.blocks;
  for (int64_t block = 0; block < blocks; ++block) {
    const float* values = t.x + block * kPanel;
    if constexpr (type == WeightType::f32) {
#pragma GCC unroll 8
      for (int v = 0; v < kBlockVectors; ++v) {
        V column[Columns];
#pragma GCC unroll 8
        for (int c = 0; c < Columns; ++c) column[c] = load(values + c * ldx + v * kLanes);
#pragma GCC unroll 4
        for (int r = 0; r < kDotRows; ++r) {
          const V w = load(reinterpret_cast<const float*>(rows[r]) + block * kPanel + v * kLanes);
#pragma GCC unroll 8
          for (int c = 0; c < Columns; ++c) sum[c][r] = fma(w, column[c], sum[c][r]);
        }
      }
    } else {
#pragma GCC unroll 4
      for (int r = 0; r < kDotRows; ++r) {
        __builtin_prefetch(rows[r] + panel_offset<type>(block) + t.ahead);
        V w[kBlockVectors];
        decode_panel<type>(*t.w, rows[r], block, w);
#pragma GCC unroll 8
        for (int c = 0; c < Columns; ++c) {
#pragma GCC unroll 8
          for (int v = 0; v < kBlockVectors; ++v) sum[c][r] = fma(w[v], load(values + c * ldx + v * kLanes), sum[c][r]);
        }
      }
    }
  }
  for (int64_t k = 0; k < t.rank; k += kLanes) {
    const int64_t left = t.rank - k;
#pragma GCC unroll 4
    for (int r = 0; r < kDotRows; ++r) {
      const V b = left < kLanes ? load_n(t.b[r] + k, left) : load(t.b[r] + k);
#pragma GCC unroll 8
      for (int c = 0; c < Columns; ++c) {
        const float* xs = t.xs + c * t.rank + k;
        sum[c][r] = fma(b, left < kLanes ? load_n(xs, left) : load(xs), sum[c][r]);
      }
    }
  }
#pragma GCC unroll 8
  for (int c = 0; c < Columns; ++c) reduce4(sum[c], sums + c * kDotRows);
}

template <WeightType type, int Columns>
inline void dot_columns(int64_t columns, const DotTile& t, float* sums) {
  if (columns == Columns) {
    dot_tile<type, Columns>(t, sums);
  } else if constexpr (Columns > 1) {
    dot_columns<type, Columns - 1>(columns, t, sums);
  }
}

/// Sum of a[k] b[k] in the lanes' order.
inline float dot_row(const float* a, const float* b, int64_t n) {
  V sum = zero();
  int64_t k = 0;
  for (; k + kLanes <= n; k += kLanes) sum = fma(load(a + k), load(b + k), sum);
  if (k < n) sum = fma(load_n(a + k, n - k), load_n(b + k, n - k), sum);
  return reduce_add(sum);
}

template <WeightType type>
inline void dot_type(const DotArgs& args) {
  const WeightView& w = args.w;
  const int64_t blocks = (w.cols + kPanel - 1) / kPanel;
  // Few rows of x: decode in registers. More: decode once, then read it as f32.
  const bool in_registers = w.cols % kPanel == 0 && (type == WeightType::f32 || args.m_count <= kDotColumns);
  DotTile t = {};
  t.w = &w;
  t.blocks = blocks;
  t.ahead = kDotRows * w.stride;
  t.ldx = args.ldx;
  t.rank = args.lora_b ? args.rank : 0;
  for (int64_t n = args.n0; n < args.n1; n += kDotRows) {
    const int64_t count = args.n1 - n < kDotRows ? args.n1 - n : kDotRows;
    for (int64_t r = 0; r < kDotRows; ++r) {
      const int64_t row = n + (r < count ? r : count - 1);
      if (t.rank > 0) t.b[r] = args.lora_b + row * args.rank;
      if (in_registers) {
        t.rows[r] = w.data + row * w.stride;
        continue;
      }
      float* decoded = args.scratch + r * blocks * kPanel;
      for (int64_t block = 0; block < blocks; ++block) {
        V values[kBlockVectors];
        __builtin_prefetch(w.data + row * w.stride + panel_offset<type>(block) + t.ahead);
        decode_at<type>(w, row, block * kPanel, values);
        for (int v = 0; v < kBlockVectors; ++v) store(decoded + block * kPanel + v * kLanes, values[v]);
      }
      t.rows[r] = reinterpret_cast<const uint8_t*>(decoded);
    }
    for (int64_t m = 0; m < args.m_count; m += kDotColumns) {
      const int64_t columns = args.m_count - m < kDotColumns ? args.m_count - m : kDotColumns;
      float sums[kDotColumns * kDotRows];
      t.x = args.x + m * args.ldx;
      t.xs = args.xs + m * t.rank;
      if (in_registers) {
        dot_columns<type, kDotColumns>(columns, t, sums);
      } else {
        dot_columns<WeightType::f32, kDotColumns>(columns, t, sums);
      }
      for (int64_t c = 0; c < columns; ++c) {
        for (int64_t r = 0; r < count; ++r) {
          const int64_t at = (m + c) * args.ldy + n + r;
          float y = sums[c * kDotRows + r];
          if (args.bias) y += args.bias[n + r];
          if (args.residual) y += args.residual[at];
          args.y[at] = y;
        }
      }
    }
  }
}

inline void dot(const DotArgs& args) {
#define NAMESAKE_CALL(type) dot_type<type>(args)
  NAMESAKE_BY_TYPE(args.w.type, NAMESAKE_CALL)
#undef NAMESAKE_CALL
}

}  // namespace
}  // namespace namesake::cpu::NAMESAKE_ISA
