// Integer and floating arithmetic where C++ leaves something undefined that PTX defines.
// PTX ISA, "Integer Arithmetic Instructions", "Floating-Point Instructions" and "Logic and Shift Instructions".
#pragma once
#include "runtime/convert.h"

/// min and max: the other operand where one is NaN; -0 is below +0.
template <class T, class B>
INLINE T float_min(T a, T b) {
  if (a != a) return b;
  if (b != b) return a;
  return a == b ? bits<T>((B)(bits<B>(a) | bits<B>(b))) : a < b ? a : b;
}
template <class T, class B>
INLINE T float_max(T a, T b) {
  if (a != a) return b;
  if (b != b) return a;
  return a == b ? bits<T>((B)(bits<B>(a) & bits<B>(b))) : a > b ? a : b;
}
INLINE f32 fmin_(f32 a, f32 b) { return float_min<f32, u32>(a, b); }
INLINE f64 fmin_(f64 a, f64 b) { return float_min<f64, u64>(a, b); }
INLINE f32 fmax_(f32 a, f32 b) { return float_max<f32, u32>(a, b); }
INLINE f64 fmax_(f64 a, f64 b) { return float_max<f64, u64>(a, b); }
/// With .NaN: NaN where either is.
template <class T>
INLINE T fmin_nan(T a, T b) {
  return a != a || b != b ? (T)NAN : fmin_(a, b);
}
template <class T>
INLINE T fmax_nan(T a, T b) {
  return a != a || b != b ? (T)NAN : fmax_(a, b);
}

template <class T>
INLINE T min_(T a, T b) {
  return a < b ? a : b;
}
template <class T>
INLINE T max_(T a, T b) {
  return a > b ? a : b;
}
/// Division by zero gives all ones (what GPUs do; PTX leaves it open); the least number by -1 wraps.
template <class T>
INLINE T divide(T a, T b) {
  if (b == 0) return (T) ~(T)0;
  return (T)-1 < 0 && b == (T)-1 ? (T)(0 - (u64)a) : (T)(a / b);
}
template <class T>
INLINE T remainder_(T a, T b) {
  if (b == 0) return a;
  return (T)-1 < 0 && b == (T)-1 ? (T)0 : (T)(a % b);
}
INLINE i16 high_half(i16 a, i16 b) { return (i16)((i32)a * b >> 16); }
INLINE u16 high_half(u16 a, u16 b) { return (u16)((u32)a * b >> 16); }
INLINE i32 high_half(i32 a, i32 b) { return (i32)((i64)a * b >> 32); }
INLINE u32 high_half(u32 a, u32 b) { return (u32)((u64)a * b >> 32); }
INLINE i64 high_half(i64 a, i64 b) { return (i64)((__int128)a * b >> 64); }
INLINE u64 high_half(u64 a, u64 b) { return (u64)((unsigned __int128)a * b >> 64); }

/// Shifts by the width or more give 0, or the sign.
template <class T>
INLINE T shift_left(T a, u32 n) {
  return n >= sizeof(T) * 8 ? 0 : (T)(a << n);
}
template <class T>
INLINE T shift_right(T a, u32 n) {
  constexpr u32 width = sizeof(T) * 8;
  if (n < width) return (T)(a >> n);
  return (T)-1 < 0 ? (T)(a >> (width - 1)) : 0;
}
INLINE u32 funnel_left(u32 a, u32 b, u32 n) { return (u32)(((((u64)b << 32) | a) << n) >> 32); }
INLINE u32 funnel_right(u32 a, u32 b, u32 n) { return n >= 32 ? b : (u32)((((u64)b << 32) | a) >> n); }

/// dp4a and dp2a: products of bytes (of halves and bytes) added to c.
template <class A, class B>
INLINE u32 dot4(u32 a, u32 b, u32 c) {
  for (int i = 0; i < 4; i++) c += (u32)((i32)(A)(a >> (8 * i)) * (i32)(B)(b >> (8 * i)));
  return c;
}
template <class A, class B>
INLINE u32 dot2(u32 a, u32 b, u32 c, bool high) {
  for (int i = 0; i < 2; i++) c += (u32)((i32)(A)(a >> (16 * i)) * (i32)(B)(b >> (8 * (i + 2 * high))));
  return c;
}
