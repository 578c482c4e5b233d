// Philox4x32-10, a counter-based generator (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): every number
// is a pure function of (seed, stream, index), so nothing is saved, and order and threads do not matter.
#pragma once

#include <array>
#include <cstdint>

namespace namesake {

/// One block of Philox4x32-10: four words of `counter` under a key of two.
constexpr std::array<std::uint32_t, 4> philox_block(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t first = std::uint64_t{0xD2511F53} * counter[0], second = std::uint64_t{0xCD9E8D57} * counter[2];
    counter = {static_cast<std::uint32_t>(second >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(second),
               static_cast<std::uint32_t>(first >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(first)};
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
  return counter;
}

/// The four words of block `block` of a stream.
constexpr std::array<std::uint32_t, 4> philox_words(std::uint64_t seed, std::uint64_t stream, std::uint64_t block) {
  return philox_block({static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(block >> 32),
                       static_cast<std::uint32_t>(stream), static_cast<std::uint32_t>(stream >> 32)},
                      {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)});
}

/// Element `index` of a stream, uniform in [0, 1) with 24 bits: exact in f32.
constexpr float philox_uniform(std::uint64_t seed, std::uint64_t stream, std::uint64_t index) {
  return static_cast<float>(philox_words(seed, stream, index / 4)[index % 4] >> 8) * 0x1p-24f;
}

/// Block `block` of a stream as one number, uniform in [0, 1) with 53 bits.
constexpr double philox_uniform53(std::uint64_t seed, std::uint64_t stream, std::uint64_t block) {
  const auto words = philox_words(seed, stream, block);
  return static_cast<double>((std::uint64_t{words[0]} << 32 | words[1]) >> 11) * 0x1p-53;
}

}  // namespace namesake
