// f32 to bf16 and back, for activations that are kept in half the room. Bound by memory: a thread takes four values at a time. Rounding is
// integer arithmetic, as on the processor: sm_75 has no instruction for it, and bits are the same everywhere.
#include "bf16_args.h"
#include "vectors.cuh"

namespace namesake::cuda {
namespace {

/// To nearest even; NaN stays NaN.
__device__ __forceinline__ unsigned short round_to_bf16(float x) {
  const unsigned bits = __float_as_uint(x);
  const unsigned nearest_even = bits + 0x7fffu + (bits >> 16 & 1u), quiet_nan = bits | 0x400000u;
  return (unsigned short)(((bits & 0x7fffffffu) > 0x7f800000u ? quiet_nan : nearest_even) >> 16);
}

__device__ __forceinline__ float to_float(unsigned short bits) { return __uint_as_float(unsigned(bits) << 16); }

}  // namespace

extern "C" __global__ void __launch_bounds__(kBf16Threads) to_bf16(Bf16Args a) {
  const long long i = (long long)blockIdx.x * kBf16Threads + threadIdx.x;
  if (4 * i >= a.n) return;
  const float4 v = load_4(a.wide, i, a.n, a.aligned);
  const unsigned short rounded[4] = {round_to_bf16(v.x), round_to_bf16(v.y), round_to_bf16(v.z), round_to_bf16(v.w)};
  if (a.aligned) {
    reinterpret_cast<ushort4*>(a.narrow)[i] = make_ushort4(rounded[0], rounded[1], rounded[2], rounded[3]);
    return;
  }
  for (int j = 0; j < 4 && 4 * i + j < a.n; ++j) a.narrow[4 * i + j] = rounded[j];
}

extern "C" __global__ void __launch_bounds__(kBf16Threads) from_bf16(Bf16Args a) {
  const long long i = (long long)blockIdx.x * kBf16Threads + threadIdx.x;
  if (4 * i >= a.n) return;
  if (a.aligned) {
    const ushort4 v = reinterpret_cast<const ushort4*>(a.narrow)[i];
    reinterpret_cast<float4*>(a.wide)[i] = make_float4(to_float(v.x), to_float(v.y), to_float(v.z), to_float(v.w));
    return;
  }
  for (int j = 0; j < 4 && 4 * i + j < a.n; ++j) a.wide[4 * i + j] = to_float(a.narrow[4 * i + j]);
}

}  // namespace namesake::cuda
