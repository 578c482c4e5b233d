// Blocks: the formats that a frozen weight is stored in, and the one table that decodes them to f32.
// Layouts follow GGUF (ggml-common.h of ggml-org/ggml); see the table in native/README.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "namesake/status.h"

namespace namesake {

enum class BlockType : std::uint8_t { f32, f16, bf16, q4_0, q4_1, q5_0, q5_1, q8_0, q4_k, q5_k, q6_k, nf4 };

/// The gguf_id of a format that no GGUF file holds; never found by block_format_of_gguf.
inline constexpr std::uint32_t kNoGgufId = 0xffffffff;

/// What one format looks like, and how it is decoded.
struct BlockFormat {
  BlockType type;
  const char* name;                ///< as in recipes and messages: "q4_1"
  std::uint32_t gguf_id;           ///< ggml_type of the file, or kNoGgufId
  std::int64_t values_per_block;   ///< 1, 32, 64 (nf4) or 256 (K-quants)
  std::int64_t bytes_per_block;
  /// Decodes `blocks` whole blocks at `in` to blocks * values_per_block floats at `out` (plain loops: the specification).
  /// nullptr for nf4, whose blocks need the scales that their matrix keeps elsewhere.
  void (*decode)(const std::byte* in, std::int64_t blocks, float* out);
};

/// The format's entry; every BlockType has one.
const BlockFormat& block_format(BlockType type);

/// The format of a ggml_type id, or nullptr for one that this engine does not read.
const BlockFormat* block_format_of_gguf(std::uint32_t gguf_id);

/// Bytes of one row of `cols` values (cols is a multiple of values_per_block).
std::int64_t row_bytes(BlockType type, std::int64_t cols);

/// Scales of an nf4 matrix, quantised twice as bitsandbytes does it: the absmax of block b (64 values; none crosses a row) is
/// map[absmax[b]] * nested[b / 256] + offset in f32, each operation rounded.
struct Nf4Scales {
  const std::uint8_t* absmax = nullptr;  ///< [rows * cols / 64] codes of the signed dynamic map of 8 bits
  const float* nested = nullptr;         ///< [rows * cols / 64 / 256, rounded up] absmax of 256 absmax values
  float offset = 0;                      ///< their mean, taken off before they were quantised
};

/// A frozen matrix W [rows = out features N, cols = in features K], row-major blocks, contraction over cols. Not owned.
struct Matrix {
  BlockType type = BlockType::f32;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  const std::byte* data = nullptr;  ///< rows * row_bytes(type, cols)
  const Nf4Scales* nf4 = nullptr;   ///< of an nf4 matrix, else nullptr

  const std::byte* row(std::int64_t r) const { return data + r * row_bytes(type, cols); }
};

/// Row `row` of a matrix of any type, decoded to f32 at `out` [cols].
void decode_row(const Matrix& matrix, std::int64_t row, float* out);

float f16_to_f32(std::uint16_t bits);
std::uint16_t f32_to_bf16(float value);  ///< round to nearest even; NaN stays NaN
float bf16_to_f32(std::uint16_t bits);

}  // namespace namesake
