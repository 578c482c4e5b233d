// The dynamic maps of formats/dynamic_map.h on the card, each value by the same arithmetic: a power of ten times the middle of one of
// 1, 2, … 128 equal parts of [0.1, 1].
#pragma once

namespace namesake::cuda {

/// Value of part `place` - 2^e, e = floor(log2 place), of the power of ten 10^(e + first).
__device__ __forceinline__ float dynamic_middle(int place, int first) {
  const int exponent = 31 - __clz(place), parts = 1 << exponent, part = place - parts;
  const float step = __fdiv_rn(__fsub_rn(1.0f, 0.1f), static_cast<float>(parts));
  const auto boundary = [&](int i) {
    return i < (parts + 1) / 2 ? __fmaf_rn(step, static_cast<float>(i), 0.1f) : __fmaf_rn(-step, static_cast<float>(parts - i), 1.0f);
  };
  const int ten = exponent + first;
  float power = 1e-6f;
  power = ten == -5 ? 1e-5f : ten == -4 ? 1e-4f : ten == -3 ? 1e-3f : ten == -2 ? 1e-2f : ten == -1 ? 1e-1f : ten == 0 ? 1.0f : power;
  return __fmul_rn(power, __fmul_rn(__fadd_rn(boundary(part), boundary(part + 1)), 0.5f));
}

/// Value `code` of the signed map, below zero as above it.
__device__ __forceinline__ float signed_dynamic_value(int code) {
  if (code == 255) return 1.0f;
  if (code == 127) return 0.0f;
  const float middle = dynamic_middle(code > 127 ? code - 127 : 127 - code, -6);
  return code > 127 ? middle : -middle;
}

/// Value `code` of the unsigned map.
__device__ __forceinline__ float unsigned_dynamic_value(int code) {
  if (code == 255) return 1.0f;
  return code == 0 ? 0.0f : dynamic_middle(code + 1, -7);
}

}  // namespace namesake::cuda
