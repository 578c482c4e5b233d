// Blocks: the formats that a frozen weight is stored in, and the one table that decodes them to f32.
// Layouts follow GGUF (ggml-common.h of ggml-org/ggml); see the table in native/README.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "namesake/status.h"

namespace namesake {

enum class BlockType : std::uint8_t { f32, f16, bf16, q4_0, q4_1, q8_0 };

/// What one format looks like, and how it is decoded.
struct BlockFormat {
  BlockType type;
  const char* name;                ///< as in recipes and messages: "q4_1"
  std::uint32_t gguf_id;           ///< ggml_type of the file
  std::int64_t values_per_block;   ///< 1 or 32
  std::int64_t bytes_per_block;
  /// Decodes `blocks` whole blocks at `in` to blocks * values_per_block floats at `out` (plain loops: the specification).
  void (*decode)(const std::byte* in, std::int64_t blocks, float* out);
};

/// The format's entry; every BlockType has one.
const BlockFormat& block_format(BlockType type);

/// The format of a ggml_type id, or nullptr for one that this engine does not read.
const BlockFormat* block_format_of_gguf(std::uint32_t gguf_id);

/// Bytes of one row of `cols` values (cols is a multiple of values_per_block).
std::int64_t row_bytes(BlockType type, std::int64_t cols);

/// A frozen matrix W [rows = out features N, cols = in features K], row-major blocks, contraction over cols. Not owned.
struct Matrix {
  BlockType type = BlockType::f32;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  const std::byte* data = nullptr;  ///< rows * row_bytes(type, cols)

  const std::byte* row(std::int64_t r) const { return data + r * row_bytes(type, cols); }
};

float f16_to_f32(std::uint16_t bits);
std::uint16_t f32_to_bf16(float value);  ///< round to nearest even; NaN stays NaN
float bf16_to_f32(std::uint16_t bits);

}  // namespace namesake
