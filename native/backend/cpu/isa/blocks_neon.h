// Block decoders with more than four bits a value, and K-quants, for NEON: see blocks_x86.h. The quants of 32 values are put
// together as bytes of two vectors, then widened.
#pragma once

#include "backend/cpu/isa/block_scales.h"
#include "backend/cpu/isa/simd_neon.h"

namespace namesake::cpu::neon {
namespace {

/// The quants of 32 values.
struct Quants {
  uint8x16_t first, second;
};

inline Quants operator|(Quants a, Quants b) { return {vorrq_u8(a.first, b.first), vorrq_u8(a.second, b.second)}; }
inline Quants load_quants(const uint8_t* p) { return {vld1q_u8(p), vld1q_u8(p + 16)}; }

/// (bytes >> shift & mask) << up.
inline Quants shift_bytes(Quants bytes, int shift, uint8_t mask, int up) {
  const int8x16_t right = vdupq_n_s8(static_cast<int8_t>(-shift)), left = vdupq_n_s8(static_cast<int8_t>(up));
  const uint8x16_t kept = vdupq_n_u8(mask);
  return {vshlq_u8(vandq_u8(vshlq_u8(bytes.first, right), kept), left),
          vshlq_u8(vandq_u8(vshlq_u8(bytes.second, right), kept), left)};
}

/// 32 nibbles of 16 bytes: the low ones are values 0-15, the high ones 16-31.
inline Quants spread_nibbles(const uint8_t* p) {
  const uint8x16_t bytes = vld1q_u8(p);
  return {vandq_u8(bytes, vdupq_n_u8(15)), vshrq_n_u8(bytes, 4)};
}

/// 16 at each of the 32 bytes whose bit is set in the four bytes at p.
inline Quants spread_fifth_bits(const uint8_t* p) {
  const uint8_t bits[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
  const uint8x16_t bit = vld1q_u8(bits), sixteen = vdupq_n_u8(16);
  const uint8x16_t first = vcombine_u8(vdup_n_u8(p[0]), vdup_n_u8(p[1])), second = vcombine_u8(vdup_n_u8(p[2]), vdup_n_u8(p[3]));
  return {vandq_u8(vtstq_u8(first, bit), sixteen), vandq_u8(vtstq_u8(second, bit), sixteen)};
}

/// w = quants * scale + offset for 16 quants.
NAMESAKE_INLINE void scale_half(uint8x16_t quants, V scale, V offset, V* w) {
  w[0] = fma(widen(vget_low_u8(quants)), scale, offset);
  w[1] = fma(widen(vget_high_u8(quants)), scale, offset);
}
NAMESAKE_INLINE void scale_quants(Quants quants, V scale, V offset, V* w) {
  scale_half(quants.first, scale, offset, w);
  scale_half(quants.second, scale, offset, w + 2);
}

template <>
struct Block<WeightType::q5_0> {
  static constexpr int kBytes = 22;
  static NAMESAKE_INLINE void decode(const uint8_t* p, V* w) {
    const V d = broadcast_f16(p);
    scale_quants(spread_nibbles(p + 6) | spread_fifth_bits(p + 2), d, mul(d, set1(-16)), w);
  }
};
template <>
struct Block<WeightType::q5_1> {
  static constexpr int kBytes = 24;
  static NAMESAKE_INLINE void decode(const uint8_t* p, V* w) {
    scale_quants(spread_nibbles(p + 8) | spread_fifth_bits(p + 4), broadcast_f16(p), broadcast_f16(p + 2), w);
  }
};

/// The values of a sub-block of q4_k or q5_k: (d * scale) * quant - dmin * min, with d, dmin and the packed scales at p.
NAMESAKE_INLINE void scale_sub_block(Quants quants, const uint8_t* p, int sub, V* w) {
  const ScaleAndMin s = scale_and_min(p + 4, sub);
  const V scale = mul(broadcast_f16(p), set1(static_cast<float>(s.scale)));
  scale_quants(quants, scale, mul(broadcast_f16(p + 2), set1(static_cast<float>(-s.min))), w);
}
template <>
struct Block<WeightType::q4_k> {
  static constexpr int kBytes = 144;
  static NAMESAKE_INLINE void decode(const uint8_t* p, int sub, V* w) {
    scale_sub_block(shift_bytes(load_quants(p + 16 + sub / 2 * 32), sub % 2 * 4, 15, 0), p, sub, w);
  }
};
template <>
struct Block<WeightType::q5_k> {
  static constexpr int kBytes = 176;
  static NAMESAKE_INLINE void decode(const uint8_t* p, int sub, V* w) {
    const Quants low = shift_bytes(load_quants(p + 48 + sub / 2 * 32), sub % 2 * 4, 15, 0);
    scale_sub_block(low | shift_bytes(load_quants(p + 16), sub, 1, 4), p, sub, w);
  }
};
template <>
struct Block<WeightType::q6_k> {
  static constexpr int kBytes = 210;
  static NAMESAKE_INLINE void decode(const uint8_t* p, int sub, V* w) {
    const int half = sub / 4, place = sub % 4;
    const Quants low = shift_bytes(load_quants(p + half * 64 + place % 2 * 32), place / 2 * 4, 15, 0);
    const Quants quants = low | shift_bytes(load_quants(p + 128 + half * 32), 2 * place, 3, 4);
    // A scale for each 16 values.
    const int8_t* scales = reinterpret_cast<const int8_t*>(p + 192 + 2 * sub);
    const V d = broadcast_f16(p + 208), first = mul(d, set1(scales[0])), second = mul(d, set1(scales[1]));
    scale_half(quants.first, first, mul(first, set1(-32)), w);
    scale_half(quants.second, second, mul(second, set1(-32)), w + 2);
  }
};

}  // namespace
}  // namespace namesake::cpu::neon
