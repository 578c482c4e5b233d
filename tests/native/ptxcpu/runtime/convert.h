// Conversions. PTX ISA, "Data Movement and Conversion Instructions: cvt" and "Alternate Floating-Point Data Formats".
// Rounding modes are numbers: 0 to nearest even, 1 to zero, 2 down, 3 up.
#pragma once
#include <math.h>

#include "runtime/abi.h"

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define INLINE static inline __attribute__((always_inline))

/// The bits of `source` as another type of the same size.
template <class T, class S>
INLINE T bits(S source) {
  static_assert(sizeof(T) == sizeof(S), "sizes differ");
  T out;
  __builtin_memcpy(&out, &source, sizeof out);
  return out;
}

INLINE f32 f16_to_f32(u16 h) { return (f32)bits<_Float16>(h); }
INLINE u16 to_f16(f32 x) { return bits<u16>((_Float16)x); }
INLINE u16 to_f16(f64 x) { return bits<u16>((_Float16)x); }
INLINE f32 bf16_to_f32(u16 h) { return bits<f32>((u32)h << 16); }

INLINE u16 to_bf16(f32 x) {
  const u32 b = bits<u32>(x);
  if (UNLIKELY((b & 0x7fffffff) > 0x7f800000)) return 0x7fff;
  return (u16)((b + 0x7fff + ((b >> 16) & 1)) >> 16);
}

/// To f32 with the last bit set where it is inexact: rounding once more, to 22 bits or fewer, is then rounding once.
INLINE f32 round_to_odd(f64 x) {
  const f32 f = (f32)x;
  if ((f64)f == x || f != f) return f;
  const u32 b = bits<u32>(f);
  if (b & 1) return f;
  return bits<f32>(fabs((f64)f) > fabs(x) ? b - 1 : b + 1);
}

INLINE u16 to_bf16(f64 x) { return to_bf16(round_to_odd(x)); }

INLINE u16 to_f16_rz(f32 x) {
  u16 h = to_f16(x);
  if (x == x && fabsf(f16_to_f32(h)) > fabsf(x)) h--;
  return h;
}
INLINE u16 to_bf16_rz(f32 x) { return x != x ? 0x7fff : (u16)(bits<u32>(x) >> 16); }

/// rna: to nearest, ties away from zero; ten bits of mantissa stay.
INLINE u32 to_tf32(f32 x) {
  const u32 b = bits<u32>(x);
  return (b & 0x7f800000) == 0x7f800000 ? b : (b + 0x1000) & 0xffffe000u;
}

INLINE f32 saturate(f32 x) { return x > 0.f ? (x < 1.f ? x : 1.f) : 0.f; }
INLINE f64 saturate(f64 x) { return x > 0. ? (x < 1. ? x : 1.) : 0.; }
INLINE f32 flush(f32 x) { return (bits<u32>(x) & 0x7f800000u) ? x : bits<f32>(bits<u32>(x) & 0x80000000u); }
INLINE u16 finite_f16(u16 h) { return (h & 0x7fff) == 0x7c00 ? (h & 0x8000) | 0x7bff : h; }
INLINE u16 finite_bf16(u16 h) { return (h & 0x7fff) == 0x7f80 ? (h & 0x8000) | 0x7f7f : h; }

/// Eight bits with `MANTISSA` of mantissa, to nearest even, out of range to the largest finite value.
template <int MANTISSA, int LEAST_EXPONENT>
static u8 to_f8(f32 x, f32 largest, u8 largest_code) {
  const u8 sign = (u8)(bits<u32>(x) >> 31 << 7);
  if (x != x) return 0x7f;
  const f32 a = fabsf(x);
  if (a >= largest) return sign | largest_code;
  int e;
  frexpf(a, &e);
  e = e - 1 < LEAST_EXPONENT ? LEAST_EXPONENT : e - 1;
  const int m = (int)nearbyintf(ldexpf(a, MANTISSA - e));
  return sign | (u8)(((e - LEAST_EXPONENT) << MANTISSA) + m);
}
INLINE u8 to_e4m3(f32 x) { return to_f8<3, -6>(x, 448.f, 0x7e); }
INLINE u8 to_e5m2(f32 x) { return to_f8<2, -14>(x, 57344.f, 0x7b); }

static inline f32 e4m3_to_f32(u8 v) {
  const f32 sign = v & 0x80 ? -1.f : 1.f;
  const int e = (v >> 3) & 15, m = v & 7;
  if ((v & 0x7f) == 0x7f) return NAN;
  return sign * (e ? ldexpf((f32)(8 + m), e - 10) : ldexpf((f32)m, -9));
}
INLINE f32 e5m2_to_f32(u8 v) { return f16_to_f32((u16)(v << 8)); }

INLINE f32 to_integral(f32 x, int mode) {
  return mode == 0 ? __builtin_rintf(x) : mode == 1 ? __builtin_truncf(x) : mode == 2 ? __builtin_floorf(x) : __builtin_ceilf(x);
}
INLINE f64 to_integral(f64 x, int mode) {
  return mode == 0 ? __builtin_rint(x) : mode == 1 ? __builtin_trunc(x) : mode == 2 ? __builtin_floor(x) : __builtin_ceil(x);
}

/// To an integer: out of range to the nearest one that there is, NaN to 0.
template <class I, class F>
INLINE I to_integer(F x, int mode) {
  const f64 r = to_integral((f64)x, mode);
  constexpr bool is_signed = (I)-1 < 0;
  constexpr int width = sizeof(I) * 8;
  constexpr f64 above = is_signed ? (f64)(1ull << (width - 1)) : 2.0 * (f64)(1ull << (width - 1));
  constexpr f64 least = is_signed ? -above : 0.0;
  constexpr I max = is_signed ? (I)(((u64)1 << (width - 1)) - 1) : (I) ~(I)0;
  constexpr I min = is_signed ? (I)((u64)1 << (width - 1)) : (I)0;
  if (r != r) return 0;
  return r >= above ? max : r < least ? min : (I)r;
}

/// Integer to integer with .sat.
template <class D, class S>
INLINE D saturate_to(S s) {
  constexpr bool is_signed = (D)-1 < 0;
  constexpr int width = sizeof(D) * 8;
  const __int128 v = s;
  const __int128 max = is_signed ? ((__int128)1 << (width - 1)) - 1 : ((__int128)1 << width) - 1;
  const __int128 min = is_signed ? -((__int128)1 << (width - 1)) : 0;
  return (D)(v < min ? min : v > max ? max : v);
}

/// The value of `fn`, whose operands must be volatile, computed in SSE's rounding mode of the same meaning.
template <class T, class Fn>
static __attribute__((noinline)) T rounded(int mode, Fn fn) {
  const u32 old = __builtin_ia32_stmxcsr();
  __builtin_ia32_ldmxcsr((old & ~0x6000u) | (mode == 1 ? 0x6000u : mode == 2 ? 0x2000u : 0x4000u));
  volatile T r = fn();
  __builtin_ia32_ldmxcsr(old);
  return r;
}

/// Pairs of halves: `fn` on the low and on the high ones, in f32 (in f64 for fma, so that it rounds once).
#define PACKED(NAME, WIDE, READ, WRITE)                                                                                                    \
  template <class Fn>                                                                                                                      \
  INLINE u32 NAME(u32 a, Fn fn) {                                                                                                          \
    return (u32)WRITE(fn((WIDE)READ((u16)a))) | (u32)WRITE(fn((WIDE)READ((u16)(a >> 16)))) << 16;                                          \
  }                                                                                                                                        \
  template <class Fn>                                                                                                                      \
  INLINE u32 NAME(u32 a, u32 b, Fn fn) {                                                                                                   \
    return (u32)WRITE(fn((WIDE)READ((u16)a), (WIDE)READ((u16)b))) | (u32)WRITE(fn((WIDE)READ((u16)(a >> 16)), (WIDE)READ((u16)(b >> 16)))) \
                                                                        << 16;                                                             \
  }                                                                                                                                        \
  template <class Fn>                                                                                                                      \
  INLINE u32 NAME(u32 a, u32 b, u32 c, Fn fn) {                                                                                            \
    return (u32)WRITE(fn((WIDE)READ((u16)a), (WIDE)READ((u16)b), (WIDE)READ((u16)c))) |                                                    \
           (u32)WRITE(fn((WIDE)READ((u16)(a >> 16)), (WIDE)READ((u16)(b >> 16)), (WIDE)READ((u16)(c >> 16)))) << 16;                       \
  }
PACKED(packed_f16, f32, f16_to_f32, to_f16)
PACKED(packed_bf16, f32, bf16_to_f32, to_bf16)
PACKED(packed_f16_wide, f64, f16_to_f32, to_f16)
PACKED(packed_bf16_wide, f64, bf16_to_f32, to_bf16)
#undef PACKED
