// Decode: rows of a frozen matrix, out of the blocks that they are stored in.
#pragma once

#include <cstdint>

#include "backend/cuda/kernels/half_type.h"
#include "formats/blocks.h"
#include "namesake/status.h"

namespace namesake::cuda {

class CudaBackend;

/// Rows first..first+count-1 of a matrix in the card's memory (its scales too, where it is nf4), rounded to 16 bits: out [count, ld],
/// ld = half_stride(matrix.cols). out starts at 16 bytes.
Status decode_rows(CudaBackend& backend, const Matrix& matrix, std::int64_t first, std::int64_t count, Half* out, std::int64_t ld);

/// Rows `ids` [count] (in the card's memory; nullptr = 0, 1, 2, …) as f32, bit for bit those of decode_row(): out [count, matrix.cols].
Status decode_rows(CudaBackend& backend, const Matrix& matrix, const std::int32_t* ids, std::int64_t count, float* out);

}  // namespace namesake::cuda
