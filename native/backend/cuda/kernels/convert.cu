// f32 values to the f16 operands of products, and the sums of split products. Rows are divided by powers of two that put their largest
// value below 2^15, so that neither large nor small rows lose anything to the range of f16.
#include "convert_args.h"
#include "half.cuh"
#include "power.cuh"
#include "reduce.cuh"

namespace namesake::cuda {

inline constexpr int kEach = 8;        // values that a thread rounds at a time: 16 bytes
inline constexpr int kMostWarps = 8;   // of a block
inline constexpr float kMostPower = 0x1p60f;  // so that a ratio of two is a float

/// What a row, or several, are multiplied by for f16.
__device__ __forceinline__ float limited_power_for(float largest) {
  return fminf(fmaxf(power_for(largest), 1 / kMostPower), kMostPower);
}

/// The largest of all threads of the block, in every thread. `shared` has room for kMostWarps floats.
__device__ __forceinline__ float largest_of_block(float x, float* shared) {
  x = warp_reduce<Max>(x);
  if (threadIdx.x % 32 == 0) shared[threadIdx.x / 32] = x;
  __syncthreads();
  float all = shared[0];
  for (unsigned w = 1; w < blockDim.x / 32; ++w) all = fmaxf(all, shared[w]);
  return all;
}

/// Eight values of a row from `col` on, times `gain`; zeros past its end, and everywhere where the gain is 0.
struct Row {
  const float* x;
  std::int64_t cols;
  float gain;

  __device__ __forceinline__ Row(const float* all, std::int64_t row, std::int64_t width, float multiplier)
      : x(all + row * width), cols(width), gain(multiplier) {}

  __device__ __forceinline__ void load(std::int64_t col, float (&v)[kEach]) const {
    if (gain == 0.0f) {
#pragma unroll
      for (int j = 0; j < kEach; ++j) v[j] = 0.0f;
    } else if (col + kEach <= cols && at_16(x + col)) {
      const float4 low = reinterpret_cast<const float4*>(x + col)[0], high = reinterpret_cast<const float4*>(x + col)[1];
      v[0] = low.x * gain, v[1] = low.y * gain, v[2] = low.z * gain, v[3] = low.w * gain;
      v[4] = high.x * gain, v[5] = high.y * gain, v[6] = high.z * gain, v[7] = high.w * gain;
    } else {
#pragma unroll
      for (int j = 0; j < kEach; ++j) v[j] = col + j < cols ? x[col + j] * gain : 0.0f;
    }
  }

  /// The largest magnitude that this thread's share of the row has.
  __device__ __forceinline__ float largest() const {
    float most = 0.0f;
    for (std::int64_t col = threadIdx.x * kEach; col < cols; col += blockDim.x * kEach) {
      float v[kEach];
      load(col, v);
#pragma unroll
      for (int j = 0; j < kEach; ++j) most = fmaxf(most, fabsf(v[j]));
    }
    return most;
  }

  /// Rounds the row, times `power`, to out.
  __device__ __forceinline__ void round(float power, Half* out) const {
    for (std::int64_t col = threadIdx.x * kEach; col < cols; col += blockDim.x * kEach) {
      float v[kEach];
      load(col, v);
      const uint4 rounded = make_uint4(round_to_halves(v[0] * power, v[1] * power), round_to_halves(v[2] * power, v[3] * power),
                                       round_to_halves(v[4] * power, v[5] * power), round_to_halves(v[6] * power, v[7] * power));
      *reinterpret_cast<uint4*>(out + col) = rounded;
    }
  }
};

/// RoundRows. Grid: one block a row, of 32 to 256 threads.
extern "C" __global__ void __launch_bounds__(256) round_rows(RoundRowsArgs args) {
  __shared__ float shared[kMostWarps];
  const std::int64_t index = blockIdx.x;
  const Row row(args.x, index, args.cols, args.row_on ? args.scale * args.row_on[index] : args.scale);
  float power = 1;
  if (args.factor) {
    power = limited_power_for(largest_of_block(row.largest(), shared));
    if (threadIdx.x == 0) args.factor[index] = inverse_power(power);
  }
  row.round(power, args.out + index * args.ld);
}

/// First half of RoundTogether: the largest magnitude of all rows. Grid as above.
extern "C" __global__ void __launch_bounds__(256) largest_of_rows(RoundTogetherArgs args) {
  __shared__ float shared[kMostWarps];
  const std::int64_t index = blockIdx.x;
  const float gain = args.row_on ? args.scale * args.row_on[index] : args.scale;
  const float most = largest_of_block(Row(args.x, index, args.cols, gain * args.row_factor[index]).largest(), shared);
  // Magnitudes are ordered as their bits are, and the largest is the same in any order.
  if (threadIdx.x == 0) atomicMax(args.largest, __float_as_uint(most));
}

/// RoundTogether. Grid as above.
extern "C" __global__ void __launch_bounds__(256) round_together(RoundTogetherArgs args) {
  const std::int64_t index = blockIdx.x;
  const float gain = args.row_on ? args.scale * args.row_on[index] : args.scale;
  const float power = limited_power_for(__uint_as_float(*args.largest));
  if (index == 0 && threadIdx.x == 0) *args.factor = inverse_power(power);
  Row(args.x, index, args.cols, gain * args.row_factor[index]).round(power, args.out + index * args.ld);
}

/// SumPieces. Grid: one thread a value, blocks of 256.
extern "C" __global__ void __launch_bounds__(256) sum_pieces(SumPiecesArgs args) {
  const std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i >= args.n) return;
  float sum = args.pieces[i];
  for (std::int64_t p = 1; p < args.count; ++p) sum = __fadd_rn(sum, args.pieces[p * args.n + i]);
  if (args.factor) sum = __fmul_rn(sum, *args.factor);
  args.out[i] = args.residual ? __fadd_rn(args.residual[i], sum) : sum;
}

}  // namespace namesake::cuda
