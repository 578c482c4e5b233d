// Ops whose kernels are not there yet: each says so by its name.
#include "backend/cuda/cuda_backend.h"

namespace namesake::cuda {
namespace {

Status pending(const char* op) { return Status::error(Code::device_unavailable, std::string("there is no ") + op + " for cuda yet"); }

}  // namespace

std::size_t linear_scratch(const Workload&) { return 0; }
std::size_t head_loss_scratch(const Workload&) { return 0; }

Status CudaBackend::embedding_forward(const Matrix&, const std::int32_t*, std::int64_t, float*) { return pending("embedding_forward"); }

Status CudaBackend::linear_forward(const Matrix&, const float*, const LoraView*, const float*, std::int64_t, const float*, float*, float*,
                                   Phase) {
  return pending("linear_forward");
}

Status CudaBackend::linear_backward(const Matrix&, const LoraView*, const float*, const float*, const float*, std::int64_t, bool, float*,
                                    float*, float*) {
  return pending("linear_backward");
}

Status CudaBackend::head_loss(const HeadLoss&) { return pending("head_loss"); }

}  // namespace namesake::cuda
