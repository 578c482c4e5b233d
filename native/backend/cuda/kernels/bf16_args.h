// Arguments of the kernels in bf16.cu, as the host gives them. All arrays are in the card's memory.
#pragma once

#include <cstdint>

namespace namesake::cuda {

/// Threads of a block; each takes four values.
inline constexpr int kBf16Threads = 256;

/// One of the two sides is read, the other written.
struct Bf16Args {
  float* wide;            ///< [n]
  std::uint16_t* narrow;  ///< [n]
  std::int64_t n;
  std::int32_t aligned;   ///< 1: n is a multiple of 4, and both begin at multiples of 16 bytes
};

}  // namespace namesake::cuda
