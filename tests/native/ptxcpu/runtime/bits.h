// Bit fields and permutations. PTX ISA, "Integer Arithmetic Instructions: bfe, bfi, bfind, brev, clz" and "prmt", "lop3".
#pragma once
#include "runtime/convert.h"

INLINE u32 count_leading_zeros(u32 x) { return x ? (u32)__builtin_clz(x) : 32; }
INLINE u32 count_leading_zeros(u64 x) { return x ? (u32)__builtin_clzll(x) : 64; }

INLINE u32 reverse_bits(u32 x) {
  x = __builtin_bswap32(x);
  x = (x & 0x0f0f0f0f) << 4 | (x >> 4 & 0x0f0f0f0f);
  x = (x & 0x33333333) << 2 | (x >> 2 & 0x33333333);
  return (x & 0x55555555) << 1 | (x >> 1 & 0x55555555);
}
INLINE u64 reverse_bits(u64 x) { return (u64)reverse_bits((u32)x) << 32 | reverse_bits((u32)(x >> 32)); }

/// The place of the highest bit that differs from the sign, ~0 where there is none.
template <class T>
INLINE u32 find_bit(T a, bool as_shift) {
  constexpr u32 width = sizeof(T) * 8;
  u64 v = (T)-1 < 0 && a < 0 ? (u64)~a : (u64)a;
  if (width == 32) v &= 0xffffffffu;
  if (!v) return ~0u;
  const u32 place = 63 - (u32)__builtin_clzll(v);
  return as_shift ? width - 1 - place : place;
}

INLINE u64 low_bits(u32 n) { return n >= 64 ? ~0ull : (1ull << n) - 1; }

template <class T>
INLINE T extract_bits(T a, u32 from, u32 length) {
  constexpr u32 width = sizeof(T) * 8;
  from &= 0xff;
  length &= 0xff;
  if (length == 0) return 0;
  const u32 top = from + length - 1 < width - 1 ? from + length - 1 : width - 1;
  const bool negative = (T)-1 < 0 && (((u64)a >> top) & 1);
  const u32 there = width > from ? width - from : 0;
  const u64 mask = low_bits(length < there ? length : there);
  u64 r = from >= 64 ? 0 : ((u64)a & low_bits(width)) >> from & mask;
  if (negative) r |= ~mask;
  return (T)r;
}

template <class T>
INLINE T insert_bits(T a, T b, u32 from, u32 length) {
  from &= 0xff;
  length &= 0xff;
  if (from >= sizeof(T) * 8 || length == 0) return b;
  const u64 mask = low_bits(length) << from;
  return (T)(((u64)b & ~mask) | (((u64)a << from) & mask));
}

enum PermuteMode { PERMUTE_INDEX, PERMUTE_F4E, PERMUTE_B4E, PERMUTE_RC8, PERMUTE_ECL, PERMUTE_ECR, PERMUTE_RC16 };
INLINE u32 permute_bytes(u32 a, u32 b, u32 selector, int mode) {
  const u64 v = (u64)b << 32 | a;
  u32 r = 0;
  for (u32 i = 0; i < 4; i++) {
    const u32 s = selector & 3, index = selector >> (4 * i);
    u32 k = index & 7;
    if (mode == PERMUTE_F4E) k = i + s;
    if (mode == PERMUTE_B4E) k = (s - i) & 7;
    if (mode == PERMUTE_RC8) k = s;
    if (mode == PERMUTE_ECL) k = i < s ? s : i;
    if (mode == PERMUTE_ECR) k = i > s ? s : i;
    if (mode == PERMUTE_RC16) k = (s & 1) * 2 + (i & 1);
    u32 byte = (u32)(v >> (k * 8)) & 0xff;
    if (mode == PERMUTE_INDEX && (index & 8)) byte = byte & 0x80 ? 0xff : 0;
    r |= byte << (8 * i);
  }
  return r;
}

/// Bit by bit the function of three bits whose truth table is `table`.
INLINE u32 lop3(u32 a, u32 b, u32 c, u32 table) {
  u32 r = 0;
  for (u32 i = 0; i < 8; i++) {
    if (table >> i & 1) r |= (i & 4 ? a : ~a) & (i & 2 ? b : ~b) & (i & 1 ? c : ~c);
  }
  return r;
}
