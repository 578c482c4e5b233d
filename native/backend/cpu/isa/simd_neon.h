// SIMD wrapper and block decoders for NEON, which every 64-bit ARM CPU has. Included by kernels_neon.cpp only. See simd_avx512.h.
//
// A vector of this wrapper is two registers: a tile of 6 x 16 fills them as one of 14 x 8 would, reads as much for each
// multiply-add, wastes less on few rows, and every sum has the order of AVX2's.
#pragma once

#include <arm_neon.h>

#include "backend/cpu/isa/kernels.h"

namespace namesake::cpu::neon {
namespace {

constexpr int kLanes = 8;
constexpr int kTileRows = 6;    // 6 x 2 accumulators, 2 columns of B, 6 values of A: 30 of 32 registers
constexpr int kDotColumns = 2;  // 2 x 4 accumulators, a block of W, 1 vector of x: 26 of 32

struct V {
  float32x4_t low, high;
};

inline V zero() { return {vdupq_n_f32(0), vdupq_n_f32(0)}; }
inline V set1(float x) {
  const float32x4_t all = vdupq_n_f32(x);
  return {all, all};
}
inline V load(const float* p) { return {vld1q_f32(p), vld1q_f32(p + 4)}; }
inline void store(float* p, V v) {
  vst1q_f32(p, v.low);
  vst1q_f32(p + 4, v.high);
}
inline V load_n(const float* p, int64_t n) {
  float lanes[8] = {};
  for (int i = 0; i < 8 && i < n; ++i) lanes[i] = p[i];
  return load(lanes);
}
inline void store_n(float* p, V v, int64_t n) {
  float lanes[8];
  store(lanes, v);
  for (int i = 0; i < 8 && i < n; ++i) p[i] = lanes[i];
}
inline V add(V a, V b) { return {vaddq_f32(a.low, b.low), vaddq_f32(a.high, b.high)}; }
inline V sub(V a, V b) { return {vsubq_f32(a.low, b.low), vsubq_f32(a.high, b.high)}; }
inline V mul(V a, V b) { return {vmulq_f32(a.low, b.low), vmulq_f32(a.high, b.high)}; }
inline V div(V a, V b) { return {vdivq_f32(a.low, b.low), vdivq_f32(a.high, b.high)}; }
inline V fma(V a, V b, V c) { return {vfmaq_f32(c.low, a.low, b.low), vfmaq_f32(c.high, a.high, b.high)}; }
inline V max(V a, V b) { return {vmaxq_f32(a.low, b.low), vmaxq_f32(a.high, b.high)}; }
inline V sqrt(V a) { return {vsqrtq_f32(a.low), vsqrtq_f32(a.high)}; }
inline V select_less(V a, V b, V x, V y) {
  return {vbslq_f32(vcltq_f32(a.low, b.low), x.low, y.low), vbslq_f32(vcltq_f32(a.high, b.high), x.high, y.high)};
}
inline V round_nearest(V a) { return {vrndnq_f32(a.low), vrndnq_f32(a.high)}; }
inline float32x4_t pow2(float32x4_t n) {
  return vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(vcvtnq_s32_f32(n), vdupq_n_s32(127)), 23));
}
inline V pow2(V n) { return {pow2(n.low), pow2(n.high)}; }
inline V iota() {
  const float lanes[8] = {0, 1, 2, 3, 4, 5, 6, 7};
  return load(lanes);
}

inline float32x4_t fold(V v) { return vaddq_f32(v.low, v.high); }
inline void reduce4(const V* v, float* out) {
  vst1q_f32(out, vpaddq_f32(vpaddq_f32(fold(v[0]), fold(v[1])), vpaddq_f32(fold(v[2]), fold(v[3]))));
}
inline float reduce_add(V v) {
  const float32x4_t four = fold(v), two = vpaddq_f32(four, four);
  return vgetq_lane_f32(vpaddq_f32(two, two), 0);
}
inline float reduce_max(V v) { return vmaxvq_f32(vmaxq_f32(v.low, v.high)); }

/// Transposes 4 rows of 4.
inline void transpose(float32x4_t& a, float32x4_t& b, float32x4_t& c, float32x4_t& d) {
  const float64x2_t ab0 = vreinterpretq_f64_f32(vtrn1q_f32(a, b)), ab1 = vreinterpretq_f64_f32(vtrn2q_f32(a, b));
  const float64x2_t cd0 = vreinterpretq_f64_f32(vtrn1q_f32(c, d)), cd1 = vreinterpretq_f64_f32(vtrn2q_f32(c, d));
  a = vreinterpretq_f32_f64(vtrn1q_f64(ab0, cd0));
  b = vreinterpretq_f32_f64(vtrn1q_f64(ab1, cd1));
  c = vreinterpretq_f32_f64(vtrn2q_f64(ab0, cd0));
  d = vreinterpretq_f32_f64(vtrn2q_f64(ab1, cd1));
}
/// Transposes 8 rows of 8: each quarter, and two quarters change places.
inline void transpose(V* r) {
  for (int i = 0; i < 8; i += 4) {
    transpose(r[i].low, r[i + 1].low, r[i + 2].low, r[i + 3].low);
    transpose(r[i].high, r[i + 1].high, r[i + 2].high, r[i + 3].high);
  }
  for (int i = 0; i < 4; ++i) {
    const float32x4_t high = r[i].high;
    r[i].high = r[i + 4].low;
    r[i + 4].low = high;
  }
}

template <WeightType type>
struct Block;

template <>
struct Block<WeightType::f32> {
  static constexpr int kBytes = 128;
  static inline void decode(const uint8_t* p, V* w) {
    for (int i = 0; i < 4; ++i) w[i] = load(reinterpret_cast<const float*>(p) + 8 * i);
  }
};
template <>
struct Block<WeightType::f16> {
  static constexpr int kBytes = 64;
  static inline void decode(const uint8_t* p, V* w) {
    for (int i = 0; i < 4; ++i) {
      const float16x8_t half = vreinterpretq_f16_u8(vld1q_u8(p + 16 * i));
      w[i] = {vcvt_f32_f16(vget_low_f16(half)), vcvt_f32_f16(vget_high_f16(half))};
    }
  }
};
template <>
struct Block<WeightType::bf16> {
  static constexpr int kBytes = 64;
  static inline void decode(const uint8_t* p, V* w) {
    for (int i = 0; i < 4; ++i) {
      const uint16x8_t half = vreinterpretq_u16_u8(vld1q_u8(p + 16 * i));
      w[i] = {vreinterpretq_f32_u32(vshll_n_u16(vget_low_u16(half), 16)),
              vreinterpretq_f32_u32(vshll_n_u16(vget_high_u16(half), 16))};
    }
  }
};

inline V broadcast_f16(const uint8_t* p) {
  const float16x8_t half = vreinterpretq_f16_u16(vdupq_n_u16(static_cast<uint16_t>(p[0] | p[1] << 8)));
  const float32x4_t all = vcvt_f32_f16(vget_low_f16(half));
  return {all, all};
}
/// Eight unsigned bytes as floats.
inline V widen(uint8x8_t bytes) {
  const uint16x8_t words = vmovl_u8(bytes);
  return {vcvtq_f32_u32(vmovl_u16(vget_low_u16(words))), vcvtq_f32_u32(vmovl_u16(vget_high_u16(words)))};
}
/// Eight signed bytes as floats.
inline V widen(int8x8_t bytes) {
  const int16x8_t words = vmovl_s8(bytes);
  return {vcvtq_f32_s32(vmovl_s16(vget_low_s16(words))), vcvtq_f32_s32(vmovl_s16(vget_high_s16(words)))};
}
/// 32 nibbles as floats: low nibbles are values 0..15, high ones 16..31.
inline void widen_nibbles(const uint8_t* p, V* w) {
  const uint8x16_t bytes = vld1q_u8(p), low = vandq_u8(bytes, vdupq_n_u8(15)), high = vshrq_n_u8(bytes, 4);
  w[0] = widen(vget_low_u8(low));
  w[1] = widen(vget_high_u8(low));
  w[2] = widen(vget_low_u8(high));
  w[3] = widen(vget_high_u8(high));
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
    for (int i = 0; i < 4; ++i) w[i] = mul(widen(vreinterpret_s8_u8(vld1_u8(p + 2 + 8 * i))), d);
  }
};

/// 32 codes of 16 bytes, the high nibble first: their entries in `values` [16] times scale. The table is one of 64 bytes, of which
/// each code takes four.
inline void look_up_codes(const uint8_t* codes, const float* values, float scale, V* w) {
  uint8x16x4_t table;
  for (int i = 0; i < 4; ++i) table.val[i] = vreinterpretq_u8_f32(vmulq_f32(vld1q_f32(values + 4 * i), vdupq_n_f32(scale)));
  const uint8x16_t bytes = vld1q_u8(codes);
  const uint8x16_t even = vshlq_n_u8(vshrq_n_u8(bytes, 4), 2), odd = vshlq_n_u8(vandq_u8(bytes, vdupq_n_u8(15)), 2);
  const uint8x16_t halves[] = {vzip1q_u8(even, odd), vzip2q_u8(even, odd)};
  const uint8_t four_times[16] = {0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3};
  const uint8_t byte_of[16] = {0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3};
  const uint8x16_t spread = vld1q_u8(four_times), byte = vld1q_u8(byte_of);
  for (int i = 0; i < 8; ++i) {
    const uint8x16_t code = vqtbl1q_u8(halves[i / 4], vaddq_u8(spread, vdupq_n_u8(static_cast<uint8_t>(i % 4 * 4))));
    const float32x4_t four = vreinterpretq_f32_u8(vqtbl4q_u8(table, vaddq_u8(code, byte)));
    (i % 2 ? w[i / 2].high : w[i / 2].low) = four;
  }
}
template <>
struct Block<WeightType::nf4> {
  static constexpr int kBytes = 16;  // of 32 values; decode_nf4 knows their scale
};

}  // namespace
}  // namespace namesake::cpu::neon
