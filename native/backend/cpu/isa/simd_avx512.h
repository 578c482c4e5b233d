// SIMD wrapper and block decoders for AVX-512 (F, BW, DQ, VL) with FMA and F16C. Included by kernels_avx512.cpp only.
#pragma once

#include <immintrin.h>

#include "backend/cpu/isa/kernels.h"

namespace namesake::cpu::avx512 {
namespace {

constexpr int kLanes = 16;
constexpr int kTileRows = 14;  // 14 x 2 accumulators, 2 columns of B, 1 broadcast: 31 of 32 registers
constexpr int kDotColumns = 4;

using V = __m512;

inline __mmask16 first(int64_t n) { return n >= 16 ? __mmask16(0xffff) : __mmask16((1u << n) - 1); }

inline V zero() { return _mm512_setzero_ps(); }
inline V set1(float x) { return _mm512_set1_ps(x); }
inline V load(const float* p) { return _mm512_loadu_ps(p); }
inline void store(float* p, V v) { _mm512_storeu_ps(p, v); }
/// The first n values, the other lanes 0.
inline V load_n(const float* p, int64_t n) { return _mm512_maskz_loadu_ps(first(n), p); }
inline void store_n(float* p, V v, int64_t n) { _mm512_mask_storeu_ps(p, first(n), v); }
inline V add(V a, V b) { return _mm512_add_ps(a, b); }
inline V sub(V a, V b) { return _mm512_sub_ps(a, b); }
inline V mul(V a, V b) { return _mm512_mul_ps(a, b); }
inline V div(V a, V b) { return _mm512_div_ps(a, b); }
inline V fma(V a, V b, V c) { return _mm512_fmadd_ps(a, b, c); }
inline V max(V a, V b) { return _mm512_max_ps(a, b); }
inline V sqrt(V a) { return _mm512_sqrt_ps(a); }
/// a < b ? x : y, lane by lane; y where a or b is NaN.
inline V select_less(V a, V b, V x, V y) { return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), y, x); }
inline V round_nearest(V a) { return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
/// 2^n for integral n in -126..127.
inline V pow2(V n) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127)), 23));
}
/// 0, 1, 2, …
inline V iota() { return _mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15); }

/// Sums of four fours, the order of every reduction: halves are folded until four lanes are left, then (0+1)+(2+3).
inline __m128 fold(V v) {
  const __m256 half = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
  return _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
}
/// out[i] = sum of v[i].
inline void reduce4(const V* v, float* out) {
  _mm_storeu_ps(out, _mm_hadd_ps(_mm_hadd_ps(fold(v[0]), fold(v[1])), _mm_hadd_ps(fold(v[2]), fold(v[3]))));
}
inline float reduce_add(V v) {
  const __m128 four = fold(v), two = _mm_hadd_ps(four, four);
  return _mm_cvtss_f32(_mm_hadd_ps(two, two));
}
inline float reduce_max(V v) {
  float lanes[16], top;
  store(lanes, v);
  top = lanes[0];
  for (int i = 1; i < 16; ++i) top = lanes[i] > top ? lanes[i] : top;
  return top;
}
/// Transposes 16 rows of 16.
inline void transpose(V* r) {
  V t[16];
#pragma GCC unroll 16
  for (int i = 0; i < 16; i += 4) {
    const V a = _mm512_unpacklo_ps(r[i], r[i + 1]), b = _mm512_unpackhi_ps(r[i], r[i + 1]);
    const V c = _mm512_unpacklo_ps(r[i + 2], r[i + 3]), d = _mm512_unpackhi_ps(r[i + 2], r[i + 3]);
    t[i] = _mm512_shuffle_ps(a, c, 0x44);
    t[i + 1] = _mm512_shuffle_ps(a, c, 0xee);
    t[i + 2] = _mm512_shuffle_ps(b, d, 0x44);
    t[i + 3] = _mm512_shuffle_ps(b, d, 0xee);
  }
#pragma GCC unroll 16
  for (int i = 0; i < 4; ++i) {
    const V a = _mm512_shuffle_f32x4(t[i], t[i + 4], 0x88), b = _mm512_shuffle_f32x4(t[i + 8], t[i + 12], 0x88);
    const V c = _mm512_shuffle_f32x4(t[i], t[i + 4], 0xdd), d = _mm512_shuffle_f32x4(t[i + 8], t[i + 12], 0xdd);
    r[i] = _mm512_shuffle_f32x4(a, b, 0x88);
    r[i + 8] = _mm512_shuffle_f32x4(a, b, 0xdd);
    r[i + 4] = _mm512_shuffle_f32x4(c, d, 0x88);
    r[i + 12] = _mm512_shuffle_f32x4(c, d, 0xdd);
  }
}

// --- blocks: 32 values to 2 vectors. scale * integer is exact in f32 (11 + 8 bits), so the FMA rounds as the specification does.

template <WeightType type>
struct Block;

template <>
struct Block<WeightType::f32> {
  static constexpr int kBytes = 128;
  static inline void decode(const uint8_t* p, V* w) {
    w[0] = _mm512_loadu_ps(p);
    w[1] = _mm512_loadu_ps(p + 64);
  }
};
template <>
struct Block<WeightType::f16> {
  static constexpr int kBytes = 64;
  static inline void decode(const uint8_t* p, V* w) {
    w[0] = _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
    w[1] = _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 32)));
  }
};
template <>
struct Block<WeightType::bf16> {
  static constexpr int kBytes = 64;
  static inline V widen(const uint8_t* p) {
    const __m256i half = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
  }
  static inline void decode(const uint8_t* p, V* w) {
    w[0] = widen(p);
    w[1] = widen(p + 32);
  }
};

inline V broadcast_f16(const uint8_t* p) {
  uint16_t bits;
  __builtin_memcpy(&bits, p, 2);
  return _mm512_broadcastss_ps(_mm_cvtph_ps(_mm_cvtsi32_si128(bits)));
}
/// 16 bytes as floats.
inline void widen(__m128i bytes, V* w) { w[0] = _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes)); }
/// Looks the 32 nibbles up in a table of the block's 16 values: vpermps uses the low four bits of each index only.
inline void look_up_nibbles(const uint8_t* nibbles, V table, V* w) {
  const __m512i index = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(nibbles)));
  w[0] = _mm512_permutexvar_ps(index, table);
  w[1] = _mm512_permutexvar_ps(_mm512_srli_epi32(index, 4), table);
}
template <>
struct Block<WeightType::q4_0> {
  static constexpr int kBytes = 18;
  static inline void decode(const uint8_t* p, V* w) {
    look_up_nibbles(p + 2, mul(sub(iota(), set1(8)), broadcast_f16(p)), w);
  }
};
template <>
struct Block<WeightType::q4_1> {
  static constexpr int kBytes = 20;
  static inline void decode(const uint8_t* p, V* w) {
    look_up_nibbles(p + 4, fma(iota(), broadcast_f16(p), broadcast_f16(p + 2)), w);
  }
};
template <>
struct Block<WeightType::q8_0> {
  static constexpr int kBytes = 34;
  static inline V widen(const uint8_t* p) {
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
  }
  static inline void decode(const uint8_t* p, V* w) {
    const V d = broadcast_f16(p);
    w[0] = mul(widen(p + 2), d);
    w[1] = mul(widen(p + 18), d);
  }
};

/// 32 codes of 16 bytes, the high nibble first: their entries in `values` [16] times scale.
inline void look_up_codes(const uint8_t* codes, const float* values, float scale, V* w) {
  const V table = mul(load(values), set1(scale));
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(codes)), even = _mm_srli_epi16(bytes, 4);
  w[0] = _mm512_permutexvar_ps(_mm512_cvtepu8_epi32(_mm_unpacklo_epi8(even, bytes)), table);
  w[1] = _mm512_permutexvar_ps(_mm512_cvtepu8_epi32(_mm_unpackhi_epi8(even, bytes)), table);
}
template <>
struct Block<WeightType::nf4> {
  static constexpr int kBytes = 16;  // of 32 values; decode_nf4 knows their scale
};

}  // namespace
}  // namespace namesake::cpu::avx512
