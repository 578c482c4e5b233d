// AdamW and the gradient norm's sum of squares.
#include <cmath>

#include "backend/reference/reference_backend.h"

namespace namesake {

Status ReferenceBackend::sum_of_squares(const float* x, std::int64_t n, double* sum) {
  *sum = dot(x, x, n);
  return {};
}

Status ReferenceBackend::adamw(const AdamW& options, std::int64_t n, const float* grad, float* value, float* m, float* v) {
  const double beta1 = options.beta1, beta2 = options.beta2, lr = options.lr;
  const double correction1 = 1 - std::pow(beta1, double(options.step));
  const double correction2 = 1 - std::pow(beta2, double(options.step));
  for (std::int64_t i = 0; i < n; ++i) {
    const double g = double(grad[i]) * double(options.grad_scale);
    const double first = beta1 * double(m[i]) + (1 - beta1) * g;
    const double second = beta2 * double(v[i]) + (1 - beta2) * g * g;
    m[i] = float(first);
    v[i] = float(second);
    const double decayed = double(value[i]) * (1 - lr * double(options.weight_decay));
    value[i] = float(decayed - lr * (first / correction1) / (std::sqrt(second / correction2) + double(options.eps)));
  }
  return {};
}

}  // namespace namesake
