// Ops whose kernels are not there yet: each says so by its name.
#include "backend/cuda/cuda_backend.h"

namespace namesake::cuda {
namespace {

Status pending(const char* op) { return Status::error(Code::device_unavailable, std::string("there is no ") + op + " for cuda yet"); }

}  // namespace

std::size_t head_loss_scratch(const Workload&) { return 0; }

Status CudaBackend::head_loss(const HeadLoss&) { return pending("head_loss"); }

}  // namespace namesake::cuda
