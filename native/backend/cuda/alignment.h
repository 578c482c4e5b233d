// Alignment: where kernels may take four floats at a time.
#pragma once

#include <cstdint>
#include <initializer_list>

namespace namesake::cuda {

/// 1 where rows of `width` floats, one after the other from each of these addresses on, all begin at multiples of 16 bytes; else 0.
/// nullptr is no hindrance.
inline std::int32_t takes_fours(std::int64_t width, std::initializer_list<const void*> addresses) {
  std::uintptr_t all = static_cast<std::uintptr_t>(width % 4);
  for (const void* address : addresses) all |= reinterpret_cast<std::uintptr_t>(address) % 16;
  return all == 0;
}

/// 1 where all of these addresses are multiples of 4 bytes; else 0.
inline std::int32_t takes_four_bytes(std::initializer_list<const void*> addresses) {
  std::uintptr_t all = 0;
  for (const void* address : addresses) all |= reinterpret_cast<std::uintptr_t>(address) % 4;
  return all == 0;
}

}  // namespace namesake::cuda
