// Convert: f32 values to the 16-bit operands of products.
#pragma once

#include <cstdint>

#include "backend/cuda/kernels/half_type.h"
#include "namesake/status.h"

namespace namesake::cuda {

class CudaBackend;

/// f16 holds 6e-8 to 65,504, so on that family operands are multiplied by powers of two before they are rounded, which are taken off
/// after the product; bf16 has the range of f32, and none are needed.
/// What round_rows takes: x [rows, cols], and out [rows, ld] with ld = half_stride(cols).
struct RoundRows {
  const float* x = nullptr;
  std::int64_t rows = 0, cols = 0;
  const float* row_on = nullptr;  ///< [rows] multiplies the row; where it is 0 the row is 0, whatever x holds. nullptr = 1
  float scale = 1;                ///< multiplies every value, in f32, before it is rounded
  Half* out = nullptr;
  std::int64_t ld = 0;
  float* factor = nullptr;        ///< [rows] out: a power of two for each row, out * factor being its values; 1 on bf16. nullptr: none, values are rounded as they are
};

Status round_rows(CudaBackend& backend, const RoundRows& args);

}  // namespace namesake::cuda
