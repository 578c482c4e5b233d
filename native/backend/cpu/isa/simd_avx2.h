// SIMD wrapper and block decoders for AVX2 with FMA and F16C. Included by kernels_avx2.cpp only. See simd_avx512.h.
#pragma once

#include <immintrin.h>

#include "backend/cpu/isa/kernels.h"

namespace namesake::cpu::avx2 {
namespace {

constexpr int kLanes = 8;
constexpr int kTileRows = 6;  // 6 x 2 accumulators, 2 columns of B, 1 broadcast: 15 of 16 registers
constexpr int kDotColumns = 3;

using V = __m256;

inline __m256i first(int64_t n) {
  const int count = static_cast<int>(n > 8 ? 8 : n);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

inline V zero() { return _mm256_setzero_ps(); }
inline V set1(float x) { return _mm256_set1_ps(x); }
inline V load(const float* p) { return _mm256_loadu_ps(p); }
inline void store(float* p, V v) { _mm256_storeu_ps(p, v); }
inline V load_n(const float* p, int64_t n) { return _mm256_maskload_ps(p, first(n)); }
inline void store_n(float* p, V v, int64_t n) { _mm256_maskstore_ps(p, first(n), v); }
inline V add(V a, V b) { return _mm256_add_ps(a, b); }
inline V sub(V a, V b) { return _mm256_sub_ps(a, b); }
inline V mul(V a, V b) { return _mm256_mul_ps(a, b); }
inline V div(V a, V b) { return _mm256_div_ps(a, b); }
inline V fma(V a, V b, V c) { return _mm256_fmadd_ps(a, b, c); }
inline V max(V a, V b) { return _mm256_max_ps(a, b); }
inline V sqrt(V a) { return _mm256_sqrt_ps(a); }
inline V select_less(V a, V b, V x, V y) { return _mm256_blendv_ps(y, x, _mm256_cmp_ps(a, b, _CMP_LT_OQ)); }
inline V round_nearest(V a) { return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
inline V pow2(V n) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23));
}
inline V iota() { return _mm256_setr_ps(0, 1, 2, 3, 4, 5, 6, 7); }

inline __m128 fold(V v) { return _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1)); }
inline void reduce4(const V* v, float* out) {
  _mm_storeu_ps(out, _mm_hadd_ps(_mm_hadd_ps(fold(v[0]), fold(v[1])), _mm_hadd_ps(fold(v[2]), fold(v[3]))));
}
inline float reduce_add(V v) {
  const __m128 four = fold(v), two = _mm_hadd_ps(four, four);
  return _mm_cvtss_f32(_mm_hadd_ps(two, two));
}
inline float reduce_max(V v) {
  float lanes[8], top;
  store(lanes, v);
  top = lanes[0];
  for (int i = 1; i < 8; ++i) top = lanes[i] > top ? lanes[i] : top;
  return top;
}
/// Transposes 8 rows of 8.
inline void transpose(V* r) {
  V t[8];
#pragma GCC unroll 8
  for (int i = 0; i < 8; i += 4) {
    const V a = _mm256_unpacklo_ps(r[i], r[i + 1]), b = _mm256_unpackhi_ps(r[i], r[i + 1]);
    const V c = _mm256_unpacklo_ps(r[i + 2], r[i + 3]), d = _mm256_unpackhi_ps(r[i + 2], r[i + 3]);
    t[i] = _mm256_shuffle_ps(a, c, 0x44);
    t[i + 1] = _mm256_shuffle_ps(a, c, 0xee);
    t[i + 2] = _mm256_shuffle_ps(b, d, 0x44);
    t[i + 3] = _mm256_shuffle_ps(b, d, 0xee);
  }
#pragma GCC unroll 8
  for (int i = 0; i < 4; ++i) {
    r[i] = _mm256_permute2f128_ps(t[i], t[i + 4], 0x20);
    r[i + 4] = _mm256_permute2f128_ps(t[i], t[i + 4], 0x31);
  }
}

template <WeightType type>
struct Block;

template <>
struct Block<WeightType::f32> {
  static constexpr int kBytes = 128;
  static inline void decode(const uint8_t* p, V* w) {
    for (int i = 0; i < 4; ++i) w[i] = _mm256_loadu_ps(reinterpret_cast<const float*>(p) + 8 * i);
  }
};
template <>
struct Block<WeightType::f16> {
  static constexpr int kBytes = 64;
  static inline void decode(const uint8_t* p, V* w) {
    for (int i = 0; i < 4; ++i) w[i] = _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 16 * i)));
  }
};
template <>
struct Block<WeightType::bf16> {
  static constexpr int kBytes = 64;
  static inline void decode(const uint8_t* p, V* w) {
    for (int i = 0; i < 4; ++i) {
      const __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 16 * i));
      w[i] = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
    }
  }
};

inline V broadcast_f16(const uint8_t* p) {
  uint16_t bits;
  __builtin_memcpy(&bits, p, 2);
  return _mm256_broadcastss_ps(_mm_cvtph_ps(_mm_cvtsi32_si128(bits)));
}
/// 16 bytes as floats.
inline void widen(__m128i bytes, V* w) {
  w[0] = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes));
  w[1] = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_srli_si128(bytes, 8)));
}
/// 32 nibbles as floats: low nibbles are values 0..15, high ones 16..31.
inline void widen_nibbles(const uint8_t* p, V* w) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)), mask = _mm_set1_epi8(15);
  widen(_mm_and_si128(bytes, mask), w);
  widen(_mm_and_si128(_mm_srli_epi16(bytes, 4), mask), w + 2);
}
template <>
struct Block<WeightType::q4_0> {
  static constexpr int kBytes = 18;
  static inline void decode(const uint8_t* p, V* w) {
    const V d = broadcast_f16(p), m = mul(d, set1(-8));
    widen_nibbles(p + 2, w);
    for (int i = 0; i < 4; ++i) w[i] = fma(w[i], d, m);
  }
};
template <>
struct Block<WeightType::q4_1> {
  static constexpr int kBytes = 20;
  static inline void decode(const uint8_t* p, V* w) {
    const V d = broadcast_f16(p), m = broadcast_f16(p + 2);
    widen_nibbles(p + 4, w);
    for (int i = 0; i < 4; ++i) w[i] = fma(w[i], d, m);
  }
};
template <>
struct Block<WeightType::q8_0> {
  static constexpr int kBytes = 34;
  static inline void decode(const uint8_t* p, V* w) {
    const V d = broadcast_f16(p);
    for (int i = 0; i < 4; ++i) {
      const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p + 2 + 8 * i));
      w[i] = mul(_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes)), d);
    }
  }
};

/// 32 codes of 16 bytes, the high nibble first: their entries in `values` [16] times scale. vpermps uses the low three bits of an
/// index only; the fourth chooses the half of the table.
inline void look_up_codes(const uint8_t* codes, const float* values, float scale, V* w) {
  const V low = mul(load(values), set1(scale)), high = mul(load(values + 8), set1(scale));
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(codes)), even = _mm_srli_epi16(bytes, 4);
  const __m128i halves[] = {_mm_unpacklo_epi8(even, bytes), _mm_unpackhi_epi8(even, bytes)};
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    const __m256i index = _mm256_cvtepu8_epi32(i % 2 ? _mm_srli_si128(halves[i / 2], 8) : halves[i / 2]);
    w[i] = _mm256_blendv_ps(_mm256_permutevar8x32_ps(low, index), _mm256_permutevar8x32_ps(high, index),
                            _mm256_castsi256_ps(_mm256_slli_epi32(index, 28)));
  }
}
template <>
struct Block<WeightType::nf4> {
  static constexpr int kBytes = 16;  // of 32 values; decode_nf4 knows their scale
};

}  // namespace
}  // namespace namesake::cpu::avx2
