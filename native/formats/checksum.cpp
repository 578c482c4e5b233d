#include "formats/checksum.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace namesake {

namespace {

// Odd, with about as many ones as zeros.
constexpr std::uint64_t kFirst = 0x9e3779b97f4a7c15, kSecond = 0xc2b2ae3d27d4eb4f, kThird = 0xbf58476d1ce4e5b9;

std::uint64_t mix(std::uint64_t lane, std::uint64_t word) { return std::rotl(lane + word * kSecond, 31) * kFirst; }

}  // namespace

void Checksum::stripe(const std::byte* bytes) {
  std::array<std::uint64_t, 8> words;
  std::memcpy(words.data(), bytes, kStripe);
  for (std::size_t i = 0; i < words.size(); ++i) lanes_[i] = mix(lanes_[i], words[i]);
}

void Checksum::add(const void* data, std::size_t size) {
  const std::byte* bytes = static_cast<const std::byte*>(data);
  const std::size_t held = size_ % kStripe;
  size_ += size;
  if (held > 0) {
    const std::size_t taken = std::min(size, kStripe - held);
    std::memcpy(rest_.data() + held, bytes, taken);
    bytes += taken;
    size -= taken;
    if (held + taken < kStripe) return;
    stripe(rest_.data());
  }
  for (; size >= kStripe; bytes += kStripe, size -= kStripe) stripe(bytes);
  if (size > 0) std::memcpy(rest_.data(), bytes, size);
}

std::uint64_t Checksum::value() const {
  Checksum last = *this;
  if (const std::size_t held = size_ % kStripe; held > 0) {
    std::fill(last.rest_.begin() + static_cast<std::ptrdiff_t>(held), last.rest_.end(), std::byte{0});
    last.stripe(last.rest_.data());
  }
  std::uint64_t value = size_;
  for (const std::uint64_t lane : last.lanes_) value = mix(value, lane);
  value = (value ^ value >> 33) * kSecond;
  value = (value ^ value >> 29) * kThird;
  return value ^ value >> 32;
}

}  // namespace namesake
