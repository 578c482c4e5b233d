// Warp-wide matrix products. PTX ISA, "Warp Level Matrix Multiply-Accumulate Instructions": the figures "Fragment layout" of each
// shape, with g = lane / 4 (groupID) and q = lane % 4 (threadID_in_group).
#pragma once
#include "runtime/warp.h"

enum ElementType { ELEMENT_F16, ELEMENT_BF16, ELEMENT_TF32 };
typedef f32 Row8 __attribute__((vector_size(32)));

/// Element i of a register: of two halves, or of one tf32 value.
template <ElementType TYPE>
INLINE f32 element(u32 word, int i) {
  if (TYPE == ELEMENT_F16) return f16_to_f32((u16)(word >> (16 * i)));
  if (TYPE == ELEMENT_BF16) return bits<f32>(i ? word & 0xffff0000u : word << 16);
  return bits<f32>(word & 0xffffe000u);
}

/// Accumulators of m16n8: two rows of two neighbouring columns a lane, as f32 or as packed f16.
template <bool HALF>
INLINE void read_accumulators(Row8* c, u32** operands, int at) {
  for (int l = 0; l < 32; l++) {
    const int g = l >> 2, q = l & 3;
    const u32* r = operands[l] + at;
    for (int i = 0; i < 4; i++) {
      c[g + (i >> 1) * 8][q * 2 + (i & 1)] = HALF ? f16_to_f32((u16)(r[i >> 1] >> (16 * (i & 1)))) : bits<f32>(r[i]);
    }
  }
}
template <bool HALF>
INLINE void write_accumulators(const Row8* c, u32** operands, int at) {
  for (int l = 0; l < 32; l++) {
    const int g = l >> 2, q = l & 3;
    u32* r = operands[l] + at;
    for (int i = 0; i < 2; i++) {
      const f32 x = c[g + i * 8][q * 2], y = c[g + i * 8][q * 2 + 1];
      if (HALF) {
        r[i] = to_f16(x) | (u32)to_f16(y) << 16;
      } else {
        r[2 * i] = bits<u32>(x);
        r[2 * i + 1] = bits<u32>(y);
      }
    }
  }
}

/// d[16][8] = a[16][K] · b[K][8] + c, summed in f32 in the order of k. d, a, b and c are places in operands[lane].
template <int K, ElementType TYPE, bool HALF>
static inline void multiply(u32** operands, int d, int a, int b, int c) {
  constexpr int per_register = TYPE == ELEMENT_TF32 ? 1 : 2;
  constexpr int per_quad = 4 * per_register;  // values of k that one register of a quad of lanes holds
  f32 left[16][K];
  Row8 right[K], sums[16];
  for (int l = 0; l < 32; l++) {
    const int g = l >> 2, q = l & 3;
    const u32* r = operands[l];
    for (int part = 0; part < K / per_quad; part++) {
      for (int e = 0; e < per_register; e++) {
        const int k = part * per_quad + q * per_register + e;
        left[g][k] = element<TYPE>(r[a + part * 2], e);
        left[g + 8][k] = element<TYPE>(r[a + part * 2 + 1], e);
        right[k][g] = element<TYPE>(r[b + part], e);
      }
    }
  }
  read_accumulators<HALF>(sums, operands, c);
  for (int m = 0; m < 16; m += 4) {
    Row8 s0 = sums[m], s1 = sums[m + 1], s2 = sums[m + 2], s3 = sums[m + 3];
    for (int k = 0; k < K; k++) {
      s0 += left[m][k] * right[k];
      s1 += left[m + 1][k] * right[k];
      s2 += left[m + 2][k] * right[k];
      s3 += left[m + 3][k] * right[k];
    }
    sums[m] = s0, sums[m + 1] = s1, sums[m + 2] = s2, sums[m + 3] = s3;
  }
  write_accumulators<HALF>(sums, operands, d);
}

/// The same with eight-bit integers (m16n8k16 and m16n8k32) into 32-bit sums that wrap.
template <int K, class A, class B>
static inline void multiply_integers(u32** operands, int d, int a, int b, int c) {
  u32 sums[16][8];
  A left[16][K];
  B right[8][K];
  for (int l = 0; l < 32; l++) {
    const int g = l >> 2, q = l & 3;
    const u32* r = operands[l];
    for (int part = 0; part < K / 16; part++) {
      for (int e = 0; e < 4; e++) {
        const int k = part * 16 + q * 4 + e;
        left[g][k] = (A)(r[a + part * 2] >> (8 * e));
        left[g + 8][k] = (A)(r[a + part * 2 + 1] >> (8 * e));
        right[g][k] = (B)(r[b + part] >> (8 * e));
      }
    }
    for (int i = 0; i < 4; i++) sums[g + (i >> 1) * 8][q * 2 + (i & 1)] = r[c + i];
  }
  for (int m = 0; m < 16; m++) {
    for (int n = 0; n < 8; n++) {
      for (int k = 0; k < K; k++) sums[m][n] += (u32)((i32)left[m][k] * (i32)right[n][k]);
    }
  }
  for (int l = 0; l < 32; l++) {
    const int g = l >> 2, q = l & 3;
    for (int i = 0; i < 4; i++) operands[l][d + i] = sums[g + (i >> 1) * 8][q * 2 + (i & 1)];
  }
}

/// ldmatrix: COUNT 8x8 matrices of 16-bit elements. Row r of matrix i is at the address of lane 8 i + r:
/// operands[lane][at], its high half after it, then the site.
template <int COUNT, bool TRANSPOSED>
static inline void load_matrices(u32** operands, Thread** lanes, int to, int at) {
  for (int i = 0; i < COUNT; i++) {
    const u8* row[8];
    for (int r = 0; r < 8; r++) {
      const int l = i * 8 + r;
      const u64 offset = operands[l][at] | (u64)operands[l][at + 1] << 32;
      row[r] = shared_at<16>(lanes[l], operands[l][at + 2], offset, 0);
    }
    for (int l = 0; l < 32; l++) {
      const int g = l >> 2, q = l & 3;
      operands[l][to + i] =
          TRANSPOSED ? load<u16>(row[q * 2] + g * 2) | (u32)load<u16>(row[q * 2 + 1] + g * 2) << 16 : load<u32>(row[g] + q * 4);
    }
  }
}

/// wmma of m16n16k16. PTX leaves its fragments' layout open; here they are those of mma.m16n8k16, B and the sums in two halves.
template <ElementType TYPE, bool HALF>
static inline void multiply_wmma(u32** operands, int d, int a, int b, int c) {
  constexpr int half = HALF ? 2 : 4;
  multiply<16, TYPE, HALF>(operands, d, a, b, c);
  multiply<16, TYPE, HALF>(operands, d + half, a, b + 2, c + half);
}

enum FragmentKind { FRAGMENT_A, FRAGMENT_B, FRAGMENT_SUMS };
/// Row and column of element i (0 to 7) of a lane's fragment.
INLINE void fragment_place(int kind, u32 lane, int i, int& row, int& column) {
  const int g = (int)lane >> 2, q = (int)lane & 3, low = i & 1, middle = (i >> 1) & 1, high = i >> 2;
  row = kind == FRAGMENT_B ? q * 2 + low + middle * 8 : g + middle * 8;
  column = kind == FRAGMENT_B ? g + high * 8 : q * 2 + low + high * 8;
}

INLINE void count_mma(Block* b, u64 flop) {
  b->counts.mma++;
  b->counts.mma_flop += flop;
}
