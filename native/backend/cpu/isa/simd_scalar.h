// Portable wrapper and block decoders: four lanes of plain arithmetic that a compiler may turn into its baseline vectors.
// No fused multiply-add: fma() here rounds twice, so bits differ from the AVX tables. Included by kernels_scalar.cpp only.
#pragma once

#include "backend/cpu/isa/block_scales.h"
#include "backend/cpu/isa/kernels.h"

namespace namesake::cpu::scalar {
namespace {

constexpr int kLanes = 4;
constexpr int kTileRows = 4;
constexpr int kDotColumns = 2;

typedef float V __attribute__((vector_size(16)));
typedef int32_t I __attribute__((vector_size(16)));

inline V zero() { return V{0, 0, 0, 0}; }
inline V set1(float x) { return V{x, x, x, x}; }
inline V load(const float* p) {
  V v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}
inline void store(float* p, V v) { __builtin_memcpy(p, &v, sizeof v); }
inline V load_n(const float* p, int64_t n) {
  V v = zero();
  for (int i = 0; i < 4 && i < n; ++i) v[i] = p[i];
  return v;
}
inline void store_n(float* p, V v, int64_t n) {
  for (int i = 0; i < 4 && i < n; ++i) p[i] = v[i];
}
inline V add(V a, V b) { return a + b; }
inline V sub(V a, V b) { return a - b; }
inline V mul(V a, V b) { return a * b; }
inline V div(V a, V b) { return a / b; }
inline V fma(V a, V b, V c) { return a * b + c; }
inline V max(V a, V b) { return a > b ? a : b; }
inline V sqrt(V a) { return V{__builtin_sqrtf(a[0]), __builtin_sqrtf(a[1]), __builtin_sqrtf(a[2]), __builtin_sqrtf(a[3])}; }
inline V select_less(V a, V b, V x, V y) { return a < b ? x : y; }
/// |a| < 2^22: adding 1.5 * 2^23 leaves the nearest integer in the low bits.
inline V round_nearest(V a) { return (a + 12582912.0f) - 12582912.0f; }
inline V pow2(V n) {
  const I bits = (__builtin_convertvector(n, I) + 127) << 23;
  V v;
  __builtin_memcpy(&v, &bits, sizeof v);
  return v;
}
inline V iota() { return V{0, 1, 2, 3}; }

inline float reduce_add(V v) { return (v[0] + v[1]) + (v[2] + v[3]); }
inline void reduce4(const V* v, float* out) {
  for (int i = 0; i < 4; ++i) out[i] = reduce_add(v[i]);
}
inline float reduce_max(V v) {
  float top = v[0];
  for (int i = 1; i < 4; ++i) top = v[i] > top ? v[i] : top;
  return top;
}
inline void transpose(V* r) {
  const V a = r[0], b = r[1], c = r[2], d = r[3];
  for (int i = 0; i < 4; ++i) r[i] = V{a[i], b[i], c[i], d[i]};
}

inline float f16(const uint8_t* p) {
  uint16_t h;
  __builtin_memcpy(&h, p, 2);
  const uint32_t sign = uint32_t(h & 0x8000) << 16, rest = h & 0x7fff;
  uint32_t bits;
  if (rest >= 0x7c00) {
    bits = sign | 0x7f800000 | (rest & 0x3ff) << 13;
  } else if (rest >= 0x400) {
    bits = sign | ((rest << 13) + 0x38000000);
  } else {
    const float tiny = static_cast<float>(rest) * 5.9604644775390625e-8f;  // subnormal: rest * 2^-24, exact
    return sign ? -tiny : tiny;
  }
  float value;
  __builtin_memcpy(&value, &bits, 4);
  return value;
}

/// Every format of up to 32 values a block but f32 gives value i by `at(p, i)`.
template <class Format>
inline void decode_values(const uint8_t* p, V* w) {
  float values[32];
  for (int i = 0; i < 32; ++i) values[i] = Format::at(p, i);
  for (int i = 0; i < 8; ++i) w[i] = load(values + 4 * i);
}

template <WeightType type>
struct Block;

template <>
struct Block<WeightType::f32> {
  static constexpr int kBytes = 128;
  static inline void decode(const uint8_t* p, V* w) {
    for (int i = 0; i < 8; ++i) w[i] = load(reinterpret_cast<const float*>(p) + 4 * i);
  }
};
template <>
struct Block<WeightType::f16> {
  static constexpr int kBytes = 64;
  static inline float at(const uint8_t* p, int i) { return f16(p + 2 * i); }
  static inline void decode(const uint8_t* p, V* w) { decode_values<Block>(p, w); }
};
template <>
struct Block<WeightType::bf16> {
  static constexpr int kBytes = 64;
  static inline float at(const uint8_t* p, int i) {
    const uint32_t bits = uint32_t(p[2 * i]) << 16 | uint32_t(p[2 * i + 1]) << 24;
    float value;
    __builtin_memcpy(&value, &bits, 4);
    return value;
  }
  static inline void decode(const uint8_t* p, V* w) { decode_values<Block>(p, w); }
};
inline float nibble(const uint8_t* p, int i) { return static_cast<float>(i < 16 ? p[i] & 15 : p[i - 16] >> 4); }
template <>
struct Block<WeightType::q4_0> {
  static constexpr int kBytes = 18;
  static inline float at(const uint8_t* p, int i) { return (nibble(p + 2, i) - 8) * f16(p); }
  static inline void decode(const uint8_t* p, V* w) { decode_values<Block>(p, w); }
};
template <>
struct Block<WeightType::q4_1> {
  static constexpr int kBytes = 20;
  static inline float at(const uint8_t* p, int i) { return nibble(p + 4, i) * f16(p) + f16(p + 2); }
  static inline void decode(const uint8_t* p, V* w) { decode_values<Block>(p, w); }
};
inline float fifth_bit(const uint8_t* p, int i) { return static_cast<float>((p[i / 8] >> i % 8 & 1) << 4); }
template <>
struct Block<WeightType::q5_0> {
  static constexpr int kBytes = 22;
  static inline float at(const uint8_t* p, int i) { return (nibble(p + 6, i) + fifth_bit(p + 2, i) - 16) * f16(p); }
  static inline void decode(const uint8_t* p, V* w) { decode_values<Block>(p, w); }
};
template <>
struct Block<WeightType::q5_1> {
  static constexpr int kBytes = 24;
  static inline float at(const uint8_t* p, int i) { return (nibble(p + 8, i) + fifth_bit(p + 4, i)) * f16(p) + f16(p + 2); }
  static inline void decode(const uint8_t* p, V* w) { decode_values<Block>(p, w); }
};
template <>
struct Block<WeightType::q8_0> {
  static constexpr int kBytes = 34;
  static inline float at(const uint8_t* p, int i) { return static_cast<float>(static_cast<int8_t>(p[2 + i])) * f16(p); }
  static inline void decode(const uint8_t* p, V* w) { decode_values<Block>(p, w); }
};

/// 32 codes of 16 bytes, the high nibble first: their entries in `values` [16] times scale.
inline void look_up_codes(const uint8_t* codes, const float* values, float scale, V* w) {
  float out[32];
  for (int i = 0; i < 16; ++i) {
    out[2 * i] = values[codes[i] >> 4] * scale;
    out[2 * i + 1] = values[codes[i] & 15] * scale;
  }
  for (int i = 0; i < 8; ++i) w[i] = load(out + 4 * i);
}
template <>
struct Block<WeightType::nf4> {
  static constexpr int kBytes = 16;  // of 32 values; decode_nf4 knows their scale
};

/// The 32 quants of sub-block `sub` of a K-quant are put together as bytes, then scaled: w = quant * scale[i / 16] + offset[i / 16].
inline void scale_quants(const uint8_t* quants, const float* scale, const float* offset, V* w) {
  float values[32];
  for (int i = 0; i < 32; ++i) values[i] = static_cast<float>(quants[i]) * scale[i / 16] + offset[i / 16];
  for (int i = 0; i < 8; ++i) w[i] = load(values + 4 * i);
}
/// q4_k and q5_k: (d * scale) * quant - dmin * min, with d, dmin and the packed scales at p.
inline void scale_sub_block(const uint8_t* quants, const uint8_t* p, int sub, V* w) {
  const ScaleAndMin s = scale_and_min(p + 4, sub);
  const float d = f16(p) * static_cast<float>(s.scale), m = f16(p + 2) * static_cast<float>(-s.min);
  const float scale[] = {d, d}, offset[] = {m, m};
  scale_quants(quants, scale, offset, w);
}
template <>
struct Block<WeightType::q4_k> {
  static constexpr int kBytes = 144;
  static inline void decode(const uint8_t* p, int sub, V* w) {
    const uint8_t* nibbles = p + 16 + sub / 2 * 32;
    uint8_t quants[32];
    for (int i = 0; i < 32; ++i) quants[i] = nibbles[i] >> (sub % 2 * 4) & 15;
    scale_sub_block(quants, p, sub, w);
  }
};
template <>
struct Block<WeightType::q5_k> {
  static constexpr int kBytes = 176;
  static inline void decode(const uint8_t* p, int sub, V* w) {
    const uint8_t *fifth = p + 16, *nibbles = p + 48 + sub / 2 * 32;
    uint8_t quants[32];
    for (int i = 0; i < 32; ++i) quants[i] = static_cast<uint8_t>((nibbles[i] >> (sub % 2 * 4) & 15) | (fifth[i] >> sub & 1) << 4);
    scale_sub_block(quants, p, sub, w);
  }
};
template <>
struct Block<WeightType::q6_k> {
  static constexpr int kBytes = 210;
  static inline void decode(const uint8_t* p, int sub, V* w) {
    const int half = sub / 4, place = sub % 4;
    const uint8_t *low = p + half * 64 + place % 2 * 32, *high = p + 128 + half * 32;
    uint8_t quants[32];
    for (int i = 0; i < 32; ++i) quants[i] = static_cast<uint8_t>((low[i] >> (place / 2 * 4) & 15) | (high[i] >> 2 * place & 3) << 4);
    const float d = f16(p + 208);
    float scale[2], offset[2];
    for (int i = 0; i < 2; ++i) {
      scale[i] = d * static_cast<float>(static_cast<int8_t>(p[192 + 2 * sub + i]));
      offset[i] = scale[i] * -32;
    }
    scale_quants(quants, scale, offset, w);
  }
};

}  // namespace
}  // namespace namesake::cpu::scalar
