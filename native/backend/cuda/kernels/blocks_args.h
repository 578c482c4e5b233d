// Arguments of kernels/blocks.cu, and a matrix of blocks as kernels read it.
#pragma once

#include <cstdint>

#include "half_type.h"

namespace namesake::cuda {

/// A Matrix in the card's memory. data starts at 16 bytes.
struct BlockView {
  const std::uint8_t* data;
  std::int64_t rows, cols;
  std::int64_t row_bytes;
  const std::uint8_t* absmax;  ///< of nf4, as in Nf4Scales; else nullptr
  const float* nested;
  float offset;
};

/// Rows to decode: to 16 bits (half [count, ld]) or to f32 (values [count, cols]); the other pointer is nullptr.
struct DecodeArgs {
  BlockView matrix;
  const std::int32_t* ids;  ///< [count] which rows; nullptr: from `first` on
  std::int64_t first;
  std::int64_t count;
  Half* half;
  std::int64_t ld;  ///< half_stride(cols)
  float* values;
};

}  // namespace namesake::cuda
