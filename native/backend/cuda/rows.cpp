// Ops that take each row, or each element, for itself: kernels/rows.cu.
#include "backend/cuda/alignment.h"
#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/kernels/rows_args.h"

namespace namesake::cuda {
namespace {

constexpr Kernel<AddArgs> kAdd{"rows", "add"};
constexpr Kernel<RmsnormForwardArgs> kRmsnormForwardWarp{"rows", "rmsnorm_forward_warp"}, kRmsnormForwardBlock{"rows", "rmsnorm_forward_block"};
constexpr Kernel<RmsnormBackwardArgs> kRmsnormBackwardWarp{"rows", "rmsnorm_backward_warp"},
    kRmsnormBackwardBlock{"rows", "rmsnorm_backward_block"};
constexpr Kernel<RopeArgs> kRope{"rows", "rope"};
constexpr Kernel<FusedQkvArgs> kSplitQkv{"rows", "split_qkv"}, kJoinQkv{"rows", "join_qkv"};
constexpr Kernel<SwigluForwardArgs> kSwigluForward{"rows", "swiglu_forward"};
constexpr Kernel<SwigluBackwardArgs> kSwigluBackward{"rows", "swiglu_backward"};

/// A block for each of M rows, or a warp. By the row's width alone: M must not change the order of a sum.
Shape block_each(std::int64_t M) { return {{M}, {kRowThreads}}; }
Shape warp_each(std::int64_t M) { return {{ceil_div(M, kRowThreads / 32)}, {kRowThreads}}; }

Shape four_each(std::int64_t n) { return one_each(ceil_div(n, 4), kRowThreads); }

RopeArgs rope_args(float* x, const std::int32_t* positions, const RopeTable& table, std::int64_t heads, std::int64_t D, float direction) {
  return {x, positions, table.cos, table.sin, heads, D, direction, table.adjacent, takes_fours(D / 2, {x, table.cos, table.sin})};
}

}  // namespace

std::size_t rows_scratch(const Workload&) { return 0; }

Status CudaBackend::add(const float* x, std::int64_t n, float* y) {
  return launch(kAdd, four_each(n), moves(3 * n), {x, y, n, takes_fours(n, {x, y})});
}

Status CudaBackend::rmsnorm_forward(const float* x, const float* weight, float eps, std::int64_t M, std::int64_t C, float* y,
                                    float* rstd) {
  const RmsnormForwardArgs args{x, weight, y, rstd, M, C, eps, takes_fours(C, {x, weight, y})};
  const Work work = moves(4 * M * C);
  return C <= kWarpRow ? launch(kRmsnormForwardWarp, warp_each(M), work, args) : launch(kRmsnormForwardBlock, block_each(M), work, args);
}

Status CudaBackend::rmsnorm_backward(const float* dy, const float* x, const float* weight, const float* rstd, std::int64_t M,
                                     std::int64_t C, float* dx) {
  const RmsnormBackwardArgs args{dy, x, weight, rstd, dx, M, C, takes_fours(C, {dy, x, weight, dx})};
  const Work work = moves(8 * M * C);
  return C <= kWarpRow ? launch(kRmsnormBackwardWarp, warp_each(M), work, args) : launch(kRmsnormBackwardBlock, block_each(M), work, args);
}

Status CudaBackend::rope_forward(float* x, const std::int32_t* positions, const RopeTable& table, std::int64_t M, std::int64_t heads,
                                 std::int64_t D) {
  return launch(kRope, block_each(M), moves(M * (3 * heads * D + kRowThreads)), rope_args(x, positions, table, heads, D, 1));
}

Status CudaBackend::rope_backward(float* dx, const std::int32_t* positions, const RopeTable& table, std::int64_t M, std::int64_t heads,
                                  std::int64_t D) {
  return launch(kRope, block_each(M), moves(M * (3 * heads * D + kRowThreads)), rope_args(dx, positions, table, heads, D, -1));
}

Status CudaBackend::split_qkv(const float* qkv, std::int64_t M, std::int64_t heads, std::int64_t kv_heads, std::int64_t D, float* q,
                              float* k, float* v) {
  return launch(kSplitQkv, block_each(M), moves(2 * M * (heads + 2 * kv_heads) * D), {const_cast<float*>(qkv), q, k, v, heads, kv_heads, D, takes_fours(D, {qkv, q, k, v})});
}

Status CudaBackend::join_qkv(const float* q, const float* k, const float* v, std::int64_t M, std::int64_t heads, std::int64_t kv_heads,
                             std::int64_t D, float* qkv) {
  return launch(kJoinQkv, block_each(M), moves(2 * M * (heads + 2 * kv_heads) * D),
                {qkv, const_cast<float*>(q), const_cast<float*>(k), const_cast<float*>(v), heads, kv_heads, D, takes_fours(D, {qkv, q, k, v})});
}

Status CudaBackend::swiglu_forward(const float* gate, const float* up, std::int64_t n, float* y) {
  return launch(kSwigluForward, four_each(n), moves(3 * n), {gate, up, y, n, takes_fours(n, {gate, up, y})});
}

Status CudaBackend::swiglu_backward(const float* dy, const float* gate, const float* up, std::int64_t n, float* dgate, float* dup) {
  return launch(kSwigluBackward, four_each(n), moves(5 * n), {dy, gate, up, dgate, dup, n, takes_fours(n, {dy, gate, up, dgate, dup})});
}

}  // namespace namesake::cuda
