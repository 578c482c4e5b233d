// Scales of K-quants, unpacked one sub-block at a time: the part of their decoding that every instruction set shares. In an
// unnamed namespace, so that each instruction set has its own copy (see kernels.h).
#pragma once

#include <stdint.h>

namespace namesake::cpu {
namespace {

/// Sub-blocks of 32 values in a K-quant's block of 256.
constexpr int kSubBlocks = 8;

/// Scale and minimum of a sub-block, six bits each.
struct ScaleAndMin {
  int scale, min;
};

/// Those of sub-block `sub` of a q4_k or q5_k block, from its 12 bytes at p (packed as formats/blocks.cpp says).
inline ScaleAndMin scale_and_min(const uint8_t* p, int sub) {
  if (sub < 4) return {p[sub] & 63, p[sub + 4] & 63};
  return {(p[sub + 4] & 15) | p[sub - 4] >> 6 << 4, p[sub + 4] >> 4 | p[sub] >> 6 << 4};
}

}  // namespace
}  // namespace namesake::cpu
