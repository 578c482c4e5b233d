// Block decoders with more than four bits a value, and K-quants, for AVX2 and AVX-512: the quants of 32 values are put together
// as bytes of one 256-bit vector, then widened. Included once per instruction set, after its simd_*.h.
// scale * quant is exact in f32 (11 + 8 + 5 bits), so the FMA rounds as the specification does.

#include "backend/cpu/isa/block_scales.h"

namespace namesake::cpu::NAMESAKE_ISA {
namespace {

inline __m256i load_bytes(const uint8_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }

/// bytes >> shift, the bits outside `mask` cleared (those that came from the byte beside).
inline __m256i shift_bytes(__m256i bytes, int shift, int mask) {
  return _mm256_and_si256(_mm256_srl_epi16(bytes, _mm_cvtsi32_si128(shift)), _mm256_set1_epi8(static_cast<char>(mask)));
}

/// 32 nibbles of 16 bytes: the low ones are values 0-15, the high ones 16-31.
inline __m256i spread_nibbles(const uint8_t* p) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return _mm256_and_si256(_mm256_set_m128i(_mm_srli_epi16(bytes, 4), bytes), _mm256_set1_epi8(15));
}

/// 16 at each of the 32 bytes whose bit is set in the four bytes at p.
inline __m256i spread_fifth_bits(const uint8_t* p) {
  int32_t bits;
  __builtin_memcpy(&bits, p, 4);
  const __m256i source = _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1,  //
                                          2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3);
  const __m256i bit = _mm256_set1_epi64x(static_cast<long long>(0x8040201008040201));
  const __m256i spread = _mm256_and_si256(_mm256_shuffle_epi8(_mm256_set1_epi32(bits), source), bit);
  return _mm256_and_si256(_mm256_cmpeq_epi8(spread, bit), _mm256_set1_epi8(16));
}

/// w = quants * scale + offset for 16 quants.
NAMESAKE_INLINE void scale_half(__m128i quants, V scale, V offset, V* w) {
  widen(quants, w);
#pragma GCC unroll 2
  for (int i = 0; i < 16 / kLanes; ++i) w[i] = fma(w[i], scale, offset);
}
NAMESAKE_INLINE void scale_quants(__m256i quants, V scale, V offset, V* w) {
  scale_half(_mm256_castsi256_si128(quants), scale, offset, w);
  scale_half(_mm256_extracti128_si256(quants, 1), scale, offset, w + 16 / kLanes);
}

template <>
struct Block<WeightType::q5_0> {
  static constexpr int kBytes = 22;
  static NAMESAKE_INLINE void decode(const uint8_t* p, V* w) {
    const V d = broadcast_f16(p);
    scale_quants(_mm256_or_si256(spread_nibbles(p + 6), spread_fifth_bits(p + 2)), d, mul(d, set1(-16)), w);
  }
};
template <>
struct Block<WeightType::q5_1> {
  static constexpr int kBytes = 24;
  static NAMESAKE_INLINE void decode(const uint8_t* p, V* w) {
    const __m256i quants = _mm256_or_si256(spread_nibbles(p + 8), spread_fifth_bits(p + 4));
    scale_quants(quants, broadcast_f16(p), broadcast_f16(p + 2), w);
  }
};

/// The values of a sub-block of q4_k or q5_k: (d * scale) * quant - dmin * min, with d, dmin and the packed scales at p.
NAMESAKE_INLINE void scale_sub_block(__m256i quants, const uint8_t* p, int sub, V* w) {
  const ScaleAndMin s = scale_and_min(p + 4, sub);
  const V scale = mul(broadcast_f16(p), set1(static_cast<float>(s.scale)));
  scale_quants(quants, scale, mul(broadcast_f16(p + 2), set1(static_cast<float>(-s.min))), w);
}
template <>
struct Block<WeightType::q4_k> {
  static constexpr int kBytes = 144;
  static NAMESAKE_INLINE void decode(const uint8_t* p, int sub, V* w) {
    scale_sub_block(shift_bytes(load_bytes(p + 16 + sub / 2 * 32), sub % 2 * 4, 15), p, sub, w);
  }
};
template <>
struct Block<WeightType::q5_k> {
  static constexpr int kBytes = 176;
  static NAMESAKE_INLINE void decode(const uint8_t* p, int sub, V* w) {
    const __m256i low = shift_bytes(load_bytes(p + 48 + sub / 2 * 32), sub % 2 * 4, 15);
    const __m256i fifth = _mm256_slli_epi16(shift_bytes(load_bytes(p + 16), sub, 1), 4);
    scale_sub_block(_mm256_or_si256(low, fifth), p, sub, w);
  }
};
template <>
struct Block<WeightType::q6_k> {
  static constexpr int kBytes = 210;
  static NAMESAKE_INLINE void decode(const uint8_t* p, int sub, V* w) {
    const int half = sub / 4, place = sub % 4;
    const __m256i low = shift_bytes(load_bytes(p + half * 64 + place % 2 * 32), place / 2 * 4, 15);
    const __m256i high = _mm256_slli_epi16(shift_bytes(load_bytes(p + 128 + half * 32), 2 * place, 3), 4);
    const __m256i quants = _mm256_or_si256(low, high);
    // A scale for each 16 values.
    const int8_t* scales = reinterpret_cast<const int8_t*>(p + 192 + 2 * sub);
    const V d = broadcast_f16(p + 208), first = mul(d, set1(scales[0])), second = mul(d, set1(scales[1]));
    scale_half(_mm256_castsi256_si128(quants), first, mul(first, set1(-32)), w);
    scale_half(_mm256_extracti128_si256(quants, 1), second, mul(second, set1(-32)), w + 16 / kLanes);
  }
};

}  // namespace
}  // namespace namesake::cpu::NAMESAKE_ISA
