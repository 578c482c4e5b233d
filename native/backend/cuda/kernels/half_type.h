// Half type: the bits of one 16-bit value, for kernels and for the code that launches them.
#pragma once

#include <cstdint>

namespace namesake::cuda {

/// One value of the 16-bit type that a family's matrix products take: f16 on sm_75, bf16 from sm_80 on. Only kernels look inside.
struct Half {
  std::uint16_t bits;
};

/// Operands of a product start at 16 bytes, and so does each of their rows: leading dimensions are a multiple of this.
inline constexpr std::int64_t kHalfAlign = 8;

/// The leading dimension of rows of `cols` values. What stands between cols and it may be anything: no product looks at it.
constexpr std::int64_t half_stride(std::int64_t cols) { return (cols + kHalfAlign - 1) / kHalfAlign * kHalfAlign; }

}  // namespace namesake::cuda
