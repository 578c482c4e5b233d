// Powers of two that bring values into the range of f16, and out again in f32.
#pragma once

namespace namesake::cuda {

/// The power of two that brings `largest` >= 0 to 2^14 or more, below 2^15. It stays within 2^±126, so that it and its inverse are
/// exact; of 0, infinity and NaN it is one of these.
__device__ __forceinline__ float power_for(float largest) {
  const int exponent = __float_as_int(largest) >> 23;
  return __int_as_float(min(268 - exponent, 253) << 23);
}

/// 1 / power.
__device__ __forceinline__ float inverse_power(float power) {
  return __int_as_float((254 << 23) - __float_as_int(power));
}

}  // namespace namesake::cuda
