// Checksum: 64 bits over many bytes, fast enough for gigabytes at the opening of a file. It finds damage, not malice.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace namesake {

/// Eight lanes of multiply, rotate and add over 64-byte stripes, in the manner of xxHash (Collet 2012): every bit of the input
/// reaches the result, and no lane waits for another. The value depends on the bytes and their order, not on how they were cut.
class Checksum {
 public:
  void add(const void* data, std::size_t size);
  std::uint64_t value() const;

 private:
  static constexpr std::size_t kStripe = 64;

  void stripe(const std::byte* bytes);

  std::array<std::uint64_t, 8> lanes_{1, 2, 3, 4, 5, 6, 7, 8};
  std::array<std::byte, kStripe> rest_{};
  std::uint64_t size_ = 0;
};

}  // namespace namesake
