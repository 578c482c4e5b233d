// Dynamic maps: the 256 values of an 8-bit code that is exact in small values and large ones alike (Dettmers 2015, arXiv 1511.04561):
// absmax values of nf4, and AdamW's moments in 8 bits (Dettmers et al. 2022, arXiv 2110.02861). What is encoded lies in [-1, 1]: it
// is divided by the largest of its block first.
#pragma once

#include <array>
#include <cstdint>

namespace namesake {

/// Values of one absmax, in a moment of AdamW.
inline constexpr std::int64_t kDynamicBlock = 256;

/// A map, ascending. Value i is the nearest of all between bounds[i - 1], which is excluded, and bounds[i].
struct DynamicMap {
  std::array<float, 256> values;
  std::array<float, 256> bounds;  ///< the middles of neighbours, rounded to f32; the last is infinity
  /// The code of the least float with the upper 16 bits i. No two bounds have the same upper bits, so the code of any other float with
  /// them is this one or the next: the one look-up and the one comparison of a fast encoder.
  std::array<std::uint8_t, 65536> first;
};

/// From -0.993 to 1, with 0: bitsandbytes' create_dynamic_map(signed=True), bit for bit. Seven powers of ten, 1 to 64 values of each.
const DynamicMap& signed_dynamic_map();
/// From 0 to 1: its create_dynamic_map(signed=False). 2 to 128 values of each power.
const DynamicMap& unsigned_dynamic_map();

/// The code of the value that is nearest to x; of two that are equally near the lower one. NaN has code 0.
std::uint8_t dynamic_code(const DynamicMap& map, float x);

/// n <= kDynamicBlock values to codes and the absmax that they are scaled by. A block of zeros has the code of 0. A value that is not
/// finite makes the absmax not finite.
float encode_dynamic_block(const DynamicMap& map, const float* x, std::int64_t n, std::uint8_t* codes);

/// Values [n] of blocks one after the other: codes [n], absmax [n / kDynamicBlock, rounded up].
void decode_dynamic(const DynamicMap& map, const std::uint8_t* codes, const float* absmax, std::int64_t n, float* out);

}  // namespace namesake
