// AdamW and the gradient norm's sum of squares: kernels/optimizer.cu.
#include <algorithm>
#include <cmath>

#include "backend/cuda/alignment.h"
#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/kernels/optimizer_args.h"
#include "formats/dynamic_map.h"

namespace namesake::cuda {
namespace {

constexpr Kernel<SumOfSquaresArgs> kSumOfSquares{"optimizer", "sum_of_squares"};
constexpr Kernel<SumArgs> kSumOfPieces{"optimizer", "sum_of_pieces"};
constexpr Kernel<AdamWArgs> kAdamW{"optimizer", "adamw"};
constexpr Kernel<AdamW8BitArgs> kAdamW8Bit{"optimizer", "adamw_8bit"};
static_assert(kMomentBlock == kDynamicBlock);

constexpr std::int64_t kWarpThreads = 32;

AdamWStep step_of(const AdamW& options) {
  const double step = static_cast<double>(options.step), beta1 = options.beta1, beta2 = options.beta2, lr = options.lr;
  AdamWStep out{};
  out.beta1 = options.beta1;
  out.beta2 = options.beta2;
  out.rest1 = static_cast<float>(1 - beta1);
  out.rest2 = static_cast<float>(1 - beta2);
  out.step_size = static_cast<float>(lr / (1 - std::pow(beta1, step)));
  out.root_scale = static_cast<float>(1 / std::sqrt(1 - std::pow(beta2, step)));
  out.eps = options.eps;
  out.keep = static_cast<float>(1 - lr * double(options.weight_decay));
  out.grad_scale = options.grad_scale;
  return out;
}

struct SumScratch {
  ScratchPlan plan;
  std::int64_t count;
  std::size_t pieces, sum;

  explicit SumScratch(std::int64_t n)
      : count(ceil_div(n, kSumPiece)), pieces(plan.take(count * std::int64_t{sizeof(double)})), sum(plan.take(sizeof(double))) {}
};

}  // namespace

/// The largest tensor that is trained is a factor of a LoRA pair: R rows or columns of a linear layer's longest side.
std::size_t optimizer_scratch(const Workload& work) {
  if (!work.backward) return 0;
  const std::int64_t fused = (work.heads + 2 * work.kv_heads) * work.head_dim;
  return SumScratch(work.rank * std::max({work.hidden, work.ffn, work.fused_qkv ? fused : work.heads * work.head_dim})).plan.bytes();
}

Status CudaBackend::sum_of_squares(const float* x, std::int64_t n, double* sum) {
  const SumScratch at(n);
  auto memory = scratch(at.plan.bytes());
  if (!memory.ok()) return memory.status();
  auto* const pieces = reinterpret_cast<double*>(memory.value() + at.pieces);
  auto* const total = reinterpret_cast<double*>(memory.value() + at.sum);
  NAMESAKE_TRY(launch(kSumOfSquares, {{at.count}, {kOptimizerThreads}}, moves(n), {x, pieces, n, takes_fours(n, {x})}));
  NAMESAKE_TRY(launch(kSumOfPieces, {{1}, {kOptimizerThreads}}, moves(2 * at.count), {pieces, total, at.count}));
  return download(sum, total, sizeof(double));
}

Status CudaBackend::adamw(const AdamW& options, std::int64_t n, const float* grad, float* value, float* m, float* v) {
  return launch(kAdamW, one_each(ceil_div(n, 4), kOptimizerThreads), moves(7 * n),
                {grad, value, m, v, n, step_of(options), takes_fours(n, {grad, value, m, v})});
}

Status CudaBackend::adamw_8bit(const AdamW& options, std::int64_t n, const float* grad, float* value, std::uint8_t* m_codes,
                               float* m_absmax, std::uint8_t* v_codes, float* v_absmax) {
  const std::int32_t aligned = takes_fours(n, {grad, value}) & takes_four_bytes({m_codes, v_codes});
  return launch(kAdamW8Bit, one_each(ceil_div(n, kMomentBlock) * kWarpThreads, kOptimizerThreads), moves(5 * n),
                {grad, value, m_codes, m_absmax, v_codes, v_absmax, n, step_of(options), aligned});
}

}  // namespace namesake::cuda
