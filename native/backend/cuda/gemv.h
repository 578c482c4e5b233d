// Gemv: a linear layer for a few rows, straight from the blocks.
#pragma once

#include "backend/cuda/kernels/gemv_args.h"
#include "formats/blocks.h"
#include "namesake/status.h"

namespace namesake::cuda {

class CudaBackend;

/// A matrix in the card's memory as kernels read it.
BlockView view_of(const Matrix& matrix);

/// Queues y = x Wᵀ + …, W being of this type. One order of sums for each element of y, whatever M is. x begins at 16 bytes, unless
/// the type has single values.
Status gemv(CudaBackend& backend, BlockType type, const GemvArgs& args);

}  // namespace namesake::cuda
