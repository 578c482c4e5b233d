// Convert: f32 values to the 16-bit operands of products.
#pragma once

#include <cstdint>

#include "backend/cuda/kernels/half_type.h"
#include "namesake/status.h"

namespace namesake::cuda {

class CudaBackend;

/// What round_rows takes. f16 holds 6e-8 to 65,504, so rows may be divided by powers of two before they are rounded, which the
/// product puts back.
struct RoundRows {
  const float* x = nullptr;       ///< [rows, cols]
  std::int64_t rows = 0, cols = 0;
  const float* row_on = nullptr;  ///< [rows] multiplies the row; where it is 0 the row is 0, whatever x holds. nullptr = 1
  float scale = 1;                ///< multiplies every value, in f32, before it is rounded
  Half* out = nullptr;            ///< [rows, ld], at 16 bytes
  std::int64_t ld = 0;            ///< half_stride(cols)
  float* factor = nullptr;        ///< [rows] out: a power of two for each row, out * factor being its values. nullptr: none
};

Status round_rows(CudaBackend& backend, const RoundRows& args);

/// What round_together takes: the smaller operand of a product that sums over rows, where no power of two of a row can be taken off
/// afterwards. So each row is multiplied by the factor that the same row of the other operand was divided by, and one power of two
/// is found for the whole.
struct RoundTogether {
  const float* x = nullptr;           ///< [rows, cols]
  std::int64_t rows = 0, cols = 0;
  const float* row_on = nullptr;      ///< as in RoundRows
  float scale = 1;
  const float* row_factor = nullptr;  ///< [rows] of the other operand, out of round_rows
  Half* out = nullptr;                ///< [rows, ld], at 16 bytes
  std::int64_t ld = 0;                ///< half_stride(cols)
  float* factor = nullptr;            ///< out: two floats, the first for split_gemm; the second is scratch
};

Status round_together(CudaBackend& backend, const RoundTogether& args);

}  // namespace namesake::cuda
