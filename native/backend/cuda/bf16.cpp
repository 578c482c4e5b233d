// Rounding of what is kept in half the room: kernels/bf16.cu.
#include "backend/cuda/alignment.h"
#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/kernels/bf16_args.h"

namespace namesake::cuda {
namespace {

constexpr Kernel<Bf16Args> kToBf16{"bf16", "to_bf16"}, kFromBf16{"bf16", "from_bf16"};

Shape four_each(std::int64_t n) { return one_each(ceil_div(n, 4), kBf16Threads); }

/// Six bytes a value move.
Work half_again(std::int64_t n) { return moves(n + (n + 1) / 2); }

}  // namespace

Status CudaBackend::to_bf16(const float* x, std::int64_t n, std::uint16_t* y) {
  return launch(kToBf16, four_each(n), half_again(n), {const_cast<float*>(x), y, n, takes_fours(n, {x, y})});
}

Status CudaBackend::from_bf16(const std::uint16_t* x, std::int64_t n, float* y) {
  return launch(kFromBf16, four_each(n), half_again(n), {y, const_cast<std::uint16_t*>(x), n, takes_fours(n, {x, y})});
}

}  // namespace namesake::cuda
