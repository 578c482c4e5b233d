// AdamW and the gradient norm. A tensor's pieces are fixed, so sums do not depend on the threads.
#include <cmath>

#include "backend/cpu/cpu_backend.h"
#include "formats/dynamic_map.h"

namespace namesake::cpu {
namespace {

/// Sum of n values by halves.
double tree_sum(const double* values, std::int64_t n) {
  if (n <= 2) return n == 2 ? values[0] + values[1] : (n == 1 ? values[0] : 0.0);
  return tree_sum(values, n / 2) + tree_sum(values + n / 2, n - n / 2);
}

AdamWArgs args_of(const AdamW& options) {
  const double step = static_cast<double>(options.step);
  const double first_bias = 1 - std::pow(static_cast<double>(options.beta1), step);
  const double second_bias = 1 - std::pow(static_cast<double>(options.beta2), step);
  AdamWArgs args;
  args.step_size = static_cast<float>(options.lr / first_bias);
  args.beta1 = options.beta1;
  args.beta2 = options.beta2;
  args.eps = options.eps;
  args.root_scale = static_cast<float>(1 / std::sqrt(second_bias));
  args.keep = static_cast<float>(1 - static_cast<double>(options.lr) * options.weight_decay);
  args.grad_scale = options.grad_scale;
  return args;
}

CodeMap map_of(const DynamicMap& map) { return {map.values.data(), map.bounds.data(), map.first.data()}; }

static_assert(kMomentBlock == kDynamicBlock && kSumPiece % kMomentBlock == 0);

}  // namespace

Status CpuBackend::sum_of_squares(const float* x, std::int64_t n, double* sum) {
  const std::int64_t pieces = ceil_div(n, kSumPiece);
  NAMESAKE_TRY(reserve(sum_of_squares_scratch(n)));
  double* sums = reinterpret_cast<double*>(shared_scratch());
  NAMESAKE_TRY(for_each(pieces, [&](std::int64_t piece, int) {
    const std::int64_t first = piece * kSumPiece;
    sums[piece] = kernels_.sum_of_squares(x + first, std::min(kSumPiece, n - first));
  }));
  *sum = tree_sum(sums, pieces);
  return {};
}

Status CpuBackend::adamw(const AdamW& options, std::int64_t n, const float* grad, float* value, float* m, float* v) {
  const AdamWArgs args = args_of(options);
  return for_pieces(n, kSumPiece, [&](std::int64_t first, std::int64_t last) {
    kernels_.adamw(args, last - first, grad + first, value + first, m + first, v + first);
  });
}

Status CpuBackend::adamw_8bit(const AdamW& options, std::int64_t n, const float* grad, float* value, std::uint8_t* m_codes,
                              float* m_absmax, std::uint8_t* v_codes, float* v_absmax) {
  const AdamWArgs args = args_of(options);
  const CodeMap m_map = map_of(signed_dynamic_map()), v_map = map_of(unsigned_dynamic_map());
  return for_pieces(n, kSumPiece, [&](std::int64_t first, std::int64_t last) {
    const std::int64_t block = first / kMomentBlock;
    kernels_.adamw_8bit(args, last - first, grad + first, value + first, {m_map, m_codes + first, m_absmax + block},
                        {v_map, v_codes + first, v_absmax + block});
  });
}

}  // namespace namesake::cpu
