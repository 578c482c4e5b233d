// GEMM operand: how one operand of a product goes from global to shared memory, a step of its depth at a time, and from there to the
// fragments of mma. Shared memory is in chunks of 16 bytes (8 values); places are swizzled so that neither the copies nor ldmatrix
// have bank conflicts: eight lanes that move at once always meet eight different places of 128 bytes.
#pragma once

#include "half.cuh"

namespace namesake::cuda {

inline constexpr int kStepDepth = 32;         ///< depth that one step brings to shared memory
inline constexpr int kTilesA = 16 / kMmaK;    ///< products of 16 rows that one ldmatrix has the operand A of
inline constexpr int kTilesB = 32 / kMmaK;    ///< products of 8 rows that one ldmatrix has the operand B of

/// The operand's part of a tile: kSpan of its rows (of C's rows or columns) by kStepDepth, copied by kThreads threads.
/// kAcross = false: memory is [rows, depth]; true: [depth, rows].
template <bool kAcross, int kSpan, int kThreads>
class OperandTile {
 public:
  static constexpr int kChunks = kSpan * kStepDepth / 8;  ///< of shared memory

  /// From depth `from` on, rows from `row` on of `rows`. Past the last row its values come again: what is made of them is not stored.
  __device__ __forceinline__ void start(const Half* operand, std::int64_t ld, int row, std::int64_t rows, std::int64_t from) {
    const int last = static_cast<int>(rows) - 1, line = first_line(), chunk = first_chunk();
    if constexpr (kAcross) {
      const int col = row + chunk * 8 < last ? row + chunk * 8 : last / 8 * 8;
      next_ = operand + (from + line) * ld + col;
      apart_ = kLineStep * static_cast<int>(ld);
    } else {
      const int first = row + line < last ? row + line : last, second = row + line + kLineStep < last ? row + line + kLineStep : last;
      next_ = operand + first * ld + from + chunk * 8;
      apart_ = (second - first) * static_cast<int>(ld);
    }
  }

  /// Starts the copy of the next step to `tile`, of which `left` values of depth are the operand's, and the others 0. Without asynchronous
  /// copies the step is held in registers until put().
  __device__ __forceinline__ void fetch(uint4* tile, int left) {
    const int line = first_line(), chunk = first_chunk();
    uint4* to = tile + place(line, chunk);
#pragma unroll
    for (int j = 0; j < kShare; ++j) {
      const int bytes = kAcross ? (line + j * kLineStep < left ? 16 : 0) : clamp_bytes(2 * (left - chunk * 8));
      if constexpr (kAsyncCopies) {
        copy_16(to + j * kThreads, next_ + j * apart_, bytes);
      } else {
        held_[j] = load_16(next_ + j * apart_, bytes);
      }
    }
    next_ += kAcross ? kStepDepth / kLineStep * apart_ : kStepDepth;
  }

  /// Stores what fetch() held.
  __device__ __forceinline__ void put(uint4* tile) {
    if constexpr (!kAsyncCopies) {
#pragma unroll
      for (int j = 0; j < kShare; ++j) tile[place(first_line(), first_chunk()) + j * kThreads] = held_[j];
    }
  }

  /// What one ldmatrix brings of the tile at a shared address, from `row` and `depth` on (multiples of 8): rows for kTilesA or kTilesB
  /// products, depth kMmaK. Registers of one product lie together.
  template <bool kIsA>
  static __device__ __forceinline__ void fragments(unsigned tile, int row, int depth, unsigned (&r)[4]) {
    const int matrix = threadIdx.x % 32 / 8, j = threadIdx.x % 8;
    if constexpr (kMmaK == 16) {
      row += 8 * (kIsA ? matrix % 2 : matrix / 2);
      depth += 8 * (kIsA ? matrix / 2 : matrix % 2);
    } else {
      row += 8 * matrix;
    }
    if constexpr (kAcross) {
      ldmatrix_transposed(r, tile + 16 * (depth * kLineChunks + place(j, row / 8)));
    } else {
      ldmatrix(r, tile + 16 * (row * kLineChunks + place(j, depth / 8)));
    }
  }

 private:
  static constexpr int kLineChunks = (kAcross ? kSpan : kStepDepth) / 8;  // chunks that lie one after another in memory
  static constexpr int kLineStep = kThreads / kLineChunks;                // lines that all threads copy at once
  static constexpr int kShare = kChunks / kThreads;                       // chunks of a thread
  static_assert(kLineStep % 8 == 0, "the swizzle must be the same in every line of a thread");
  static_assert(kShare <= 2 && kShare * kThreads == kChunks, "a thread has one chunk, or two that are apart_ from each other");

  static __device__ __forceinline__ int first_line() { return static_cast<int>(threadIdx.x) / kLineChunks; }
  static __device__ __forceinline__ int first_chunk() { return static_cast<int>(threadIdx.x) % kLineChunks; }

  /// Lines of 64 bytes share 128 two by two; longer lines begin at 128. The swizzle is that of line % 8.
  static __device__ __forceinline__ int place(int line, int chunk) {
    return line * kLineChunks + (kLineChunks == 4 ? chunk ^ (line / 2 % 4) : chunk ^ (line % 8));
  }

  static __device__ __forceinline__ int clamp_bytes(int bytes) { return bytes < 0 ? 0 : bytes > 16 ? 16 : bytes; }

  /// Rows have 16 whole bytes wherever they have two (half_stride), so that what lies behind their end is read and put out.
  static __device__ __forceinline__ uint4 load_16(const Half* from, int bytes) {
    uint4 v = make_uint4(0, 0, 0, 0);
    if (bytes > 0) v = *reinterpret_cast<const uint4*>(from);
    if (bytes < 16) v = make_uint4(kept(v.x, bytes), kept(v.y, bytes - 4), kept(v.z, bytes - 8), kept(v.w, bytes - 12));
    return v;
  }
  static __device__ __forceinline__ unsigned kept(unsigned word, int bytes) { return bytes >= 4 ? word : bytes >= 2 ? word & 0xffffu : 0u; }

  const Half* next_;
  int apart_;  // values from the thread's first chunk to its second
  uint4 held_[kAsyncCopies ? 1 : kShare];
};

/// d [16, 8] += a bᵀ with product `a_tile` of the fragments fa and product `b_tile` of fb.
__device__ __forceinline__ void mma_of(float (&d)[4], const unsigned (&fa)[4], int a_tile, const unsigned (&fb)[4], int b_tile) {
  unsigned a[kMmaK / 4], b[kMmaK / 8];
#pragma unroll
  for (int i = 0; i < kMmaK / 4; ++i) a[i] = fa[a_tile * (kMmaK / 4) + i];
#pragma unroll
  for (int i = 0; i < kMmaK / 8; ++i) b[i] = fb[b_tile * (kMmaK / 8) + i];
  mma(d, a, b);
}

}  // namespace namesake::cuda
