// Half: the 16-bit type that a family's matrix products take: f16 on sm_75, bf16 from sm_80 on.
#pragma once

#include "asm.cuh"
#include "half_type.h"

namespace namesake::cuda {

/// Whether the type has less range than a float: f16 holds 6e-8 to 65,504.
#if __CUDA_ARCH__ >= 800
inline constexpr bool kNarrowHalf = false;
#else
inline constexpr bool kNarrowHalf = true;
#endif

/// Rounds to nearest even.
__device__ __forceinline__ Half to_half(float x) { return {round_to_half(x)}; }

/// Exact.
__device__ __forceinline__ float to_float(Half x) {
#if __CUDA_ARCH__ >= 800
  return __uint_as_float(unsigned(x.bits) << 16);
#else
  return f16_to_float(x.bits);
#endif
}

/// A 16-bit brain float (what blocks may hold, in either family) to float: exact.
__device__ __forceinline__ float bf16_to_float(unsigned short bits) { return __uint_as_float(unsigned(bits) << 16); }

/// Whether 16 bytes can be loaded from p at once.
__device__ __forceinline__ bool at_16(const void* p) { return (reinterpret_cast<std::uintptr_t>(p) & 15u) == 0; }

}  // namespace namesake::cuda
