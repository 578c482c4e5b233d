// Ops that go row by row, or value by value.
#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/kernels/rows_args.h"

namespace namesake::cuda {
namespace {

constexpr Kernel<AddArgs> kAdd{"rows", "add"};

}  // namespace

Status CudaBackend::add(const float* x, std::int64_t n, float* y) { return launch(kAdd, one_each(n), AddArgs{x, n, y}); }

}  // namespace namesake::cuda
