// Arguments of kernels/convert.cu.
#pragma once

#include <cstdint>

#include "half_type.h"

namespace namesake::cuda {

/// See RoundRows in convert.h.
struct RoundRowsArgs {
  const float* x;       ///< [rows, cols]
  std::int64_t rows, cols;
  const float* row_on;  ///< [rows] or nullptr
  float scale;
  Half* out;            ///< [rows, ld]
  std::int64_t ld;
  float* factor;        ///< [rows] or nullptr
};

/// See RoundTogether in convert.h.
struct RoundTogetherArgs {
  const float* x;           ///< [rows, cols]
  std::int64_t rows, cols;
  const float* row_on;      ///< [rows] or nullptr
  float scale;
  const float* row_factor;  ///< [rows]
  Half* out;                ///< [rows, ld]
  std::int64_t ld;
  std::uint32_t* largest;   ///< bits of the largest magnitude; starts as 0
  float* factor;            ///< 1 float
};

/// out [n] = residual + factor * (pieces[0] + pieces[1] + …), each [n].
struct SumPiecesArgs {
  const float* pieces;
  std::int64_t count, n;
  const float* factor;    ///< 1 float or nullptr
  const float* residual;  ///< [n] or nullptr; may be out
  float* out;
};

}  // namespace namesake::cuda
