// nf4: 4-bit NormalFloat with double quantisation (Dettmers et al. 2023, arXiv 2305.14314), by the rules of bitsandbytes, so that
// the codes are those that its users know. 64 neighbours of a row share one absmax; the absmax values, less their mean, are
// stored in 8 bits, 256 of them under one f32 of their own. 4.127 bits a value.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "formats/blocks.h"
#include "namesake/status.h"

namespace namesake {

inline constexpr std::int64_t kNf4Block = 64;    ///< values under one absmax
inline constexpr std::int64_t kNf4Nested = 256;  ///< absmax values under one f32

/// The 16 values of the codes, ascending from -1 to 1.
const float* nf4_values();
/// The 256 values of the codes of absmax: the signed dynamic map (formats/dynamic_map.h).
const float* nf4_absmax_values();

/// Blocks of a matrix [rows, cols] and what they take.
struct Nf4Shape {
  std::int64_t rows = 0, cols = 0;  ///< cols % kNf4Block == 0

  std::int64_t blocks() const { return rows * cols / kNf4Block; }
  std::int64_t nested() const { return (blocks() + kNf4Nested - 1) / kNf4Nested; }
  std::int64_t code_bytes() const { return rows * cols / 2; }
};

/// Whether a matrix of so many columns can be nf4.
constexpr bool fits_nf4(std::int64_t cols) { return cols % kNf4Block == 0; }

/// The scale of block `block`, counted over the whole matrix.
inline float nf4_absmax(const Nf4Scales& scales, std::int64_t block) {
  const float product = nf4_absmax_values()[scales.absmax[block]] * scales.nested[block / kNf4Nested];
  return product + scales.offset;
}

/// Decodes columns 0..cols of row r of an nf4 matrix.
void decode_nf4_row(const Matrix& matrix, std::int64_t r, float* out);

/// First level: 64 values to 32 bytes of codes (element 2j in the high nibble); returns their absmax. A value is multiplied by
/// 1 / absmax and takes the code above a bound only where it is greater; a block of zeros is all code 7, which is 0. A value that
/// is not finite makes the absmax not finite. bitsandbytes' GPU code differs from its CPU code, and so from this, in two places:
/// four bounds that lie between two floats are the other one (those above codes 0, 8, 12 and 14), and a block of zeros is code 0.
float quantize_nf4_block(const float* x, std::uint8_t* codes);

/// Mean of n absmax values: summed in f64, in order.
float nf4_mean(const float* absmax, std::int64_t n);

/// Second level: absmax [blocks] less `offset` to codes [blocks] and nested [ceil(blocks / 256)]. The nearest value of the map is
/// looked for on a grid of 65,536 steps over [-1, 1], as bitsandbytes does on a CPU (its GPU code compares the value itself, and
/// differs by one code where a value lies within half a step of a bound).
void quantize_nf4_absmax(const float* absmax, std::int64_t blocks, float offset, std::uint8_t* codes, float* nested);

/// A quantised matrix in memory of its own.
struct Nf4Matrix {
  Nf4Shape shape;
  std::vector<std::uint8_t> codes, absmax;
  std::vector<float> nested;
  float offset = 0;
};

/// Row r of what is to be quantised, as f32 [cols]. Called by several threads at once.
using RowSource = std::function<void(std::int64_t r, float* out)>;

/// Quantises `rows` rows of `cols` values on up to `threads` threads; the result does not depend on their number. False where a
/// value is not finite.
bool quantize_nf4(const Nf4Shape& shape, const RowSource& source, int threads, Nf4Matrix& out);

}  // namespace namesake
