// Packing of words of two bf16 for AVX-512 with BF16, after simd_avx512.h and pack_kernels.h: blocks are decoded by AVX-512's own
// kernels, in a copy with internal linkage, and then rounded to nearest even.

namespace namesake::cpu::avx512 {
namespace {

/// 16 + 16 values as 32 bf16, `low` in the lower half.
inline __m512i round_bf16(V low, V high) { return (__m512i)_mm512_cvtne2ps_pbh(high, low); }

/// Words of two bf16 that are neighbours in a row.
struct Bf16Words {
  static constexpr int kValues = 2;
  template <WeightType type>
  static NAMESAKE_INLINE void decode(const WeightView& w, int64_t n, int64_t k, V* out) {
    V values[2];
    decode_at<type>(w, n, k, values);
    out[0] = _mm512_castsi512_ps(round_bf16(values[0], values[1]));
  }
};

/// 16 words: `first` is the lower half of each, `second` the upper one.
inline V pair(V first, V second) {
  const __m512i places = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8,  //
                                          23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  return _mm512_castsi512_ps(_mm512_permutexvar_epi16(places, round_bf16(first, second)));
}

/// Words hold two rows of w: columns col0..col0+31 of rows n and n + 1.
template <WeightType type>
inline void slice_pairs(const WeightView& w, int64_t col0, int64_t n0, int64_t n1, float* out) {
  for (int64_t n = n0; n < n1; n += 2) {
    V first[2], second[2] = {zero(), zero()};
    decode_at<type>(w, n, col0, first);
    if (n + 1 < n1) decode_at<type>(w, n + 1, col0, second);
#pragma GCC unroll 2
    for (int v = 0; v < 2; ++v) store(out + (n - n0) / 2 * kPanel + v * kLanes, pair(first[v], second[v]));
  }
}

static_assert(kWidth == kPanel, "a panel is one piece, so that its depth plays no part");

inline void pack_slice_pairs(const WeightView& w, int64_t col0, int64_t n0, int64_t n1, int64_t, float* out) {
#define NAMESAKE_CALL(type) slice_pairs<type>(w, col0, n0, n1, out)
  NAMESAKE_BY_TYPE(w.type, NAMESAKE_CALL)
#undef NAMESAKE_CALL
}

}  // namespace
}  // namespace namesake::cpu::avx512
