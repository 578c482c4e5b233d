// Packing: decodes blocks into the layouts that the tile kernels read. Included once per instruction set, after its simd_*.h.

namespace namesake::cpu::NAMESAKE_ISA {
namespace {

constexpr int kBlockVectors = static_cast<int>(kPanel) / kLanes;
constexpr int kWidth = 2 * kLanes;  // columns of a packed panel: two vectors

/// Panels of 32 values that one block holds; half a block of nf4 stands for one.
template <WeightType type>
constexpr int kBlockPanels = type >= WeightType::q4_k && type <= WeightType::q6_k ? kSubBlocks : 1;

/// Bytes from the start of a row to about where its panel `panel` lies: for looking ahead.
template <WeightType type>
inline int64_t panel_offset(int64_t panel) {
  return panel * Block<type>::kBytes / kBlockPanels<type>;
}

/// 32 values of an nf4 matrix, their codes at `codes`: half a block. Rows have no bytes between them, so that the place says which
/// block. Two roundings, as the specification has them.
NAMESAKE_INLINE void decode_nf4(const WeightView& w, const uint8_t* codes, V* out) {
  const int64_t block = (codes - w.data) / (2 * Block<WeightType::nf4>::kBytes);
  const float product = w.nf4.absmax_values[w.nf4.absmax[block]] * w.nf4.nested[block / 256];
  look_up_codes(codes, w.nf4.values, product + w.nf4.offset, out);
}

/// The 32 values of panel `panel` of w's row at `row`.
template <WeightType type>
NAMESAKE_INLINE void decode_panel(const WeightView& w, const uint8_t* row, int64_t panel, V* out) {
  const uint8_t* block = row + panel / kBlockPanels<type> * Block<type>::kBytes;
  if constexpr (type == WeightType::nf4) {
    decode_nf4(w, block, out);
  } else if constexpr (kBlockPanels<type> == 1) {
    Block<type>::decode(block, out);
  } else {
    Block<type>::decode(block, static_cast<int>(panel % kBlockPanels<type>), out);
  }
}

/// The 32 values of row n from column k on; past w.cols they are 0 (only formats of single values end inside 32).
template <WeightType type>
NAMESAKE_INLINE void decode_at(const WeightView& w, int64_t n, int64_t k, V* out) {
  const uint8_t* row = w.data + n * w.stride;
  if constexpr (type <= WeightType::bf16) {
    if (const int64_t left = w.cols - k; left < kPanel) {
      uint8_t padded[Block<type>::kBytes] = {};
      __builtin_memcpy(padded, row + k / kPanel * Block<type>::kBytes, static_cast<__SIZE_TYPE__>(left * Block<type>::kBytes / kPanel));
      Block<type>::decode(padded, out);
      return;
    }
  }
  decode_panel<type>(w, row, k / kPanel, out);
}

/// Words of one f32 each, see Products.
struct F32Words {
  static constexpr int kValues = 1;
  /// The words of the 32 values of row n from column k on.
  template <WeightType type>
  static NAMESAKE_INLINE void decode(const WeightView& w, int64_t n, int64_t k, V* out) {
    decode_at<type>(w, n, k, out);
  }
};

/// Transposes rows n0..n0+rows (<= kLanes): word k of them goes to out[k * step .. + rows]. Writes kLanes words at each k
/// (later ones overwrite the excess) as long as that stays below `limit` words.
template <class Words, WeightType type>
inline void transpose_rows(const WeightView& w, int64_t n0, int64_t rows, int64_t step, int64_t limit, float* out) {
  constexpr int64_t kWords = kPanel / Words::kValues;
  const int64_t words = (w.cols + Words::kValues - 1) / Words::kValues;
  for (int64_t k = 0; k < words; k += kWords) {
    V block[kLanes][kWords / kLanes];
    for (int64_t i = 0; i < rows; ++i) Words::template decode<type>(w, n0 + i, k * Words::kValues, block[i]);
    const int64_t depth = words - k < kWords ? words - k : kWords;
    for (int part = 0; part * kLanes < depth; ++part) {
      V square[kLanes];
      for (int i = 0; i < kLanes; ++i) square[i] = i < rows ? block[i][part] : zero();
      transpose(square);
      float* at = out + (k + part * kLanes) * step;
      const int64_t count = depth - part * kLanes < kLanes ? depth - part * kLanes : kLanes;
      if (count == kLanes && (k + part * kLanes + kLanes - 1) * step + kLanes <= limit) {
#pragma GCC unroll 16
        for (int j = 0; j < kLanes; ++j) store(at + j * step, square[j]);
      } else {
        for (int64_t j = 0; j < count; ++j) store_n(at + j * step, square[j], rows);
      }
    }
  }
}

/// Calls `call<type>(…)` for the view's type.
#define NAMESAKE_BY_TYPE(type, call)                      \
  switch (type) {                                         \
    case WeightType::f32: call(WeightType::f32); break;   \
    case WeightType::f16: call(WeightType::f16); break;   \
    case WeightType::bf16: call(WeightType::bf16); break; \
    case WeightType::q4_0: call(WeightType::q4_0); break; \
    case WeightType::q4_1: call(WeightType::q4_1); break; \
    case WeightType::q5_0: call(WeightType::q5_0); break; \
    case WeightType::q5_1: call(WeightType::q5_1); break; \
    case WeightType::q8_0: call(WeightType::q8_0); break; \
    case WeightType::q4_k: call(WeightType::q4_k); break; \
    case WeightType::q5_k: call(WeightType::q5_k); break; \
    case WeightType::q6_k: call(WeightType::q6_k); break; \
    case WeightType::nf4: call(WeightType::nf4); break;   \
  }

template <class Words>
inline void pack_rows(const WeightView& w, int64_t n0, int64_t rows, float* out) {
  const int64_t words = (w.cols + Words::kValues - 1) / Words::kValues;
#define NAMESAKE_CALL(type) transpose_rows<Words, type>(w, n0, rows, rows, words * rows, out)
  NAMESAKE_BY_TYPE(w.type, NAMESAKE_CALL)
#undef NAMESAKE_CALL
}

template <class Words>
inline void pack_columns(const WeightView& w, int64_t n0, int64_t rows, int64_t depth, float* out) {
  const int64_t words = (w.cols + Words::kValues - 1) / Words::kValues;
  for (int64_t col = 0; col < kPanel; col += kLanes) {
    float* at = out + col / kWidth * depth * kWidth + col % kWidth;
    if (col >= rows) {
      for (int64_t k = 0; k < words; ++k) store(at + k * kWidth, zero());
      continue;
    }
    // Full vectors are written up to the panel's end: the columns past `rows` become 0.
    const int64_t group = rows - col < kLanes ? rows - col : kLanes, limit = words * kWidth;
    if (group < kLanes && words % kLanes != 0) {
      for (int64_t k = words / kLanes * kLanes; k < words; ++k) store(at + k * kWidth, zero());
    }
#define NAMESAKE_CALL(type) transpose_rows<Words, type>(w, n0 + col, group, kWidth, limit, at)
    NAMESAKE_BY_TYPE(w.type, NAMESAKE_CALL)
#undef NAMESAKE_CALL
  }
}

template <WeightType type>
inline void slice(const WeightView& w, int64_t col0, int64_t n0, int64_t n1, int64_t depth, float* out) {
  for (int64_t n = n0; n < n1; ++n) {
    V block[kBlockVectors];
    decode_at<type>(w, n, col0, block);
#pragma GCC unroll 8
    for (int v = 0; v < kBlockVectors; ++v) {
      store(out + v * kLanes / kWidth * depth * kWidth + (n - n0) * kWidth + v * kLanes % kWidth, block[v]);
    }
  }
}

inline void pack_slice(const WeightView& w, int64_t col0, int64_t n0, int64_t n1, int64_t depth, float* out) {
#define NAMESAKE_CALL(type) slice<type>(w, col0, n0, n1, depth, out)
  NAMESAKE_BY_TYPE(w.type, NAMESAKE_CALL)
#undef NAMESAKE_CALL
}

template <WeightType type>
inline void decode_row_of(const WeightView& w, int64_t n, float* out) {
  for (int64_t k = 0; k < w.cols; k += kPanel) {
    V block[kBlockVectors];
    decode_at<type>(w, n, k, block);
    for (int v = 0; v < kBlockVectors && k + v * kLanes < w.cols; ++v) {
      const int64_t left = w.cols - k - v * kLanes;
      left >= kLanes ? store(out + k + v * kLanes, block[v]) : store_n(out + k + v * kLanes, block[v], left);
    }
  }
}

inline void decode_row(const WeightView& w, int64_t n, float* out) {
#define NAMESAKE_CALL(type) decode_row_of<type>(w, n, out)
  NAMESAKE_BY_TYPE(w.type, NAMESAKE_CALL)
#undef NAMESAKE_CALL
}

}  // namespace
}  // namespace namesake::cpu::NAMESAKE_ISA
