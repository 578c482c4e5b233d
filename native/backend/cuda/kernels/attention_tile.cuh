// What the attention kernels are made of: tiles of 16-bit values in shared memory, and fragments of matrix products. A warp owns 16 rows
// of a product; lane l holds of each 16 x 8 result the columns 2 (l % 4) and 2 (l % 4) + 1 of rows l / 4 and l / 4 + 8.
#pragma once

#include "attention_args.h"
#include "half.cuh"
#include "power.cuh"
#include "vectors.cuh"

namespace namesake::cuda {

inline constexpr float kLog2E = 1.44269504088896341f;
inline constexpr float kLn2 = 0.69314718055994531f;

/// Rows of one head in an array [.., heads, D].
struct HeadRows {
  const float* first;
  int stride;  ///< floats from row to row: within a tile 32 bits hold all distances
};

__device__ __forceinline__ HeadRows head_rows(const float* array, long long row, int heads, int head, int D) {
  return {array + (row * heads + head) * D, heads * D};
}

/// A matrix of 16-bit values in a block's shared memory (which begins at a multiple of 256 bytes), `offset` values from its begin (a
/// multiple of 128), rows of `width` (64 or 128). The 16-byte parts of row r change places by r % 8, so that the eight rows that ldmatrix
/// reads at a time lie in different banks. All tiles of a block compute the same addresses but for constants, which costs no registers.
template <int width, int offset>
class Tile {
 public:
  __device__ __forceinline__ explicit Tile(Half* memory) : memory_(memory) {
    const int lane = threadIdx.x % 32, matrix = lane / 8, row = lane % 8;
    const unsigned address = shared_address(memory);
    down_ = address + ((matrix % 2) * 8 + row) * kRowBytes + ((matrix / 2) ^ row) * 16;
    across_ = address + ((matrix / 2) * 8 + row) * kRowBytes + ((matrix % 2) ^ row) * 16;
  }

  /// Fills `rows` rows, by all threads of the block: rounded values times factor(row), zeros from row `valid` (at least 1) and column D on.
  template <int rows, class Factor>
  __device__ __forceinline__ void stage(HeadRows from, int valid, int D, bool aligned, Factor factor) const {
    constexpr int kGroups = width / 4, kAtOnce = kAttentionThreads / kGroups;
    const int group = threadIdx.x % kGroups, top = threadIdx.x / kGroups;
    const auto put = [&](int row, float4 x) {
      const float f = factor(min(row, valid - 1));
      const uint2 rounded = make_uint2(round_to_halves(f * x.x, f * x.y), round_to_halves(f * x.z, f * x.w));
      char* to = reinterpret_cast<char*>(memory_ + offset) + row * kRowBytes + ((group / 2) ^ (row % 8)) * 16 + group % 2 * 8;
      *reinterpret_cast<uint2*>(to) = row < valid && 4 * group < D ? rounded : make_uint2(0, 0);
    };
    if (aligned) {
      // Without a branch, so that all loads of a batch are under way together: what lies outside reads a neighbour.
      const float* column = from.first + 4 * min(group, D / 4 - 1);
#pragma unroll 1
      for (int first = top; first < rows; first += kBatch * kAtOnce) {
        float4 x[kBatch];
#pragma unroll
        for (int i = 0; i < kBatch; ++i) {
          x[i] = *reinterpret_cast<const float4*>(column + min(first + i * kAtOnce, valid - 1) * from.stride);
        }
#pragma unroll
        for (int i = 0; i < kBatch; ++i) put(first + i * kAtOnce, x[i]);
      }
    } else {
#pragma unroll 1
      for (int row = top; row < rows; row += kAtOnce) {
        const bool inside = row < valid && 4 * group < D;
        put(row, inside ? load_4(from.first + row * from.stride, group, D, false) : make_float4(0, 0, 0, 0));
      }
    }
  }

  template <int rows>
  __device__ __forceinline__ void stage(HeadRows from, int valid, int D, bool aligned) const {
    stage<rows>(from, valid, D, aligned, [](int) { return 1.0f; });
  }

  /// The left operand of a product: 16 rows from `row` on, 16 columns from `column` on. Rows and columns here are multiples of 16.
  __device__ __forceinline__ void left(unsigned (&a)[4], int row, int column) const { ldmatrix(a, place(down_, row, 0, column)); }

  /// The right operand, where this tile's rows are the product's columns: 16 of them from at + row on, 16 columns deep. b[0] and b[1]
  /// make the first eight columns of the product, b[2] and b[3] the others. row and column are constants once loops are unrolled.
  __device__ __forceinline__ void right(unsigned (&b)[4], int at, int row, int column) const {
    ldmatrix(b, place(across_, at, row, column));
  }

  /// The right operand, where this tile's rows are summed over: 16 of them, and 16 columns of the product.
  __device__ __forceinline__ void right_summed(unsigned (&b)[4], int at, int row, int column) const {
    ldmatrix_transposed(b, place(down_, at, row, column));
  }

 private:
  static constexpr int kRowBytes = 2 * width;
  static constexpr int kBatch = 8;  // loads of a thread that are under way together

  // The bits that a column changes lie within a row, those of `at` above.
  static __device__ __forceinline__ unsigned place(unsigned lane, int at, int row, int column) {
    return ((lane + at * kRowBytes) ^ (column * 2)) + (row * kRowBytes + offset * 2);
  }

  Half* memory_;
  unsigned down_;    // this lane's row for ldmatrix, matrices in the order (0, 0), (8, 0), (0, 8), (8, 8) of row and column
  unsigned across_;  // in the order (0, 0), (0, 8), (8, 0), (8, 8)
};

/// d, e (two neighbouring 16 x 8 results) += a b.
__device__ __forceinline__ void multiply(float (&d)[4], float (&e)[4], const unsigned (&a)[4], const unsigned (&b)[4]) {
  mma_16(d, a, b[0], b[1]);
  mma_16(e, a, b[2], b[3]);
}

/// Two neighbouring 16 x 8 results, rounded, as the left operand of the next product, 16 deep.
__device__ __forceinline__ void as_left(unsigned (&a)[4], const float (&d)[4], const float (&e)[4]) {
  a[0] = round_to_halves(d[0], d[1]);
  a[1] = round_to_halves(d[2], d[3]);
  a[2] = round_to_halves(e[0], e[1]);
  a[3] = round_to_halves(e[2], e[3]);
}

/// sum [16, 8 steps] += left [16, 8 depth], rounded, times the rows of `right` from `at` on.
template <int steps, int depth, class Rows>
__device__ __forceinline__ void add_product(float (&sum)[steps][4], const float (&left)[depth][4], const Rows& right, int at) {
#pragma unroll
  for (int k = 0; k < depth / 2; ++k) {
    unsigned a[4];
    as_left(a, left[2 * k], left[2 * k + 1]);
#pragma unroll
    for (int n = 0; n < steps / 2; ++n) {
      unsigned b[4];
      right.right_summed(b, at, 16 * k, 16 * n);
      multiply(sum[2 * n], sum[2 * n + 1], a, b);
    }
  }
}

/// The largest of a row that four neighbouring lanes share.
__device__ __forceinline__ float row_max(float x) {
  x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 1));
  return fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 2));
}

__device__ __forceinline__ float row_sum(float x) {
  x += __shfl_xor_sync(0xffffffffu, x, 1);
  return x + __shfl_xor_sync(0xffffffffu, x, 2);
}

/// Stores this lane's part of one row of a [16, width] product times `factor` at `to`, a row of D floats. i: 0 for row l / 4, 1 for
/// the other.
template <int count>
__device__ __forceinline__ void store_row(float* to, const float (&d)[count][4], int i, float factor, int D, bool aligned) {
#pragma unroll
  for (int n = 0; n < count; ++n) {
    const int column = 8 * n + 2 * (threadIdx.x % 4);
    const float x = d[n][2 * i] * factor, y = d[n][2 * i + 1] * factor;
    if (aligned) {
      if (column < D) *reinterpret_cast<float2*>(to + column) = make_float2(x, y);
    } else {
      if (column < D) to[column] = x;
      if (column + 1 < D) to[column + 1] = y;
    }
  }
}

}  // namespace namesake::cuda
