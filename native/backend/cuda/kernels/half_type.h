// Half type: the bits of one 16-bit value, for kernels and for the code that launches them.
#pragma once

#include <cstdint>

namespace namesake::cuda {

/// One value of the 16-bit type that matrix products take: f16, 6e-8 to 65,504, whose ten bits of fraction are three more than bf16's.
/// What its range would cost, powers of two give back (convert.h). Only kernels look inside.
struct Half {
  std::uint16_t bits;
};

/// Operands of a product start at 16 bytes, and so does each of their rows: leading dimensions are a multiple of this.
inline constexpr std::int64_t kHalfAlign = 8;

/// The leading dimension of rows of `cols` values. What stands between cols and it may be anything: no product looks at it.
constexpr std::int64_t half_stride(std::int64_t cols) { return (cols + kHalfAlign - 1) / kHalfAlign * kHalfAlign; }

}  // namespace namesake::cuda
