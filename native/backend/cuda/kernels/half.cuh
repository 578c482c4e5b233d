// Half: the 16-bit type that matrix products take, f16, and its conversions.
#pragma once

#include "asm.cuh"
#include "half_type.h"

namespace namesake::cuda {

/// Rounds to nearest even.
__device__ __forceinline__ Half to_half(float x) { return {round_to_half(x)}; }

/// Exact.
__device__ __forceinline__ float to_float(Half x) { return f16_to_float(x.bits); }

/// A 16-bit brain float (what blocks may hold) to float: exact.
__device__ __forceinline__ float bf16_to_float(unsigned short bits) { return __uint_as_float(unsigned(bits) << 16); }

/// Whether 16 bytes can be loaded from p at once.
__device__ __forceinline__ bool at_16(const void* p) { return (reinterpret_cast<std::uintptr_t>(p) & 15u) == 0; }

}  // namespace namesake::cuda
