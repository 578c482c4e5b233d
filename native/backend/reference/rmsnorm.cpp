// RMSNorm: y = x * rstd * weight.
#include <cmath>

#include "backend/reference/reference_backend.h"

namespace namesake {

Status ReferenceBackend::rmsnorm_forward(const float* x, const float* weight, float eps, std::int64_t M, std::int64_t C,
                                         float* y, float* rstd) {
  for (std::int64_t m = 0; m < M; ++m) {
    const float* row = x + m * C;
    const double r = 1 / std::sqrt(dot(row, row, C) / double(C) + double(eps));
    for (std::int64_t c = 0; c < C; ++c) y[m * C + c] = float(double(row[c]) * r * double(weight[c]));
    if (rstd) rstd[m] = float(r);
  }
  return {};
}

Status ReferenceBackend::rmsnorm_backward(const float* dy, const float* x, const float* weight, const float* rstd,
                                          std::int64_t M, std::int64_t C, float* dx) {
  // With g = dy * weight: dx = rstd * (g - x * rstd² * mean(x g)).
  for (std::int64_t m = 0; m < M; ++m) {
    const float* row = x + m * C;
    const double r = rstd[m];
    double xg = 0;
    for (std::int64_t c = 0; c < C; ++c) xg += double(row[c]) * double(dy[m * C + c]) * double(weight[c]);
    const double pull = r * r * xg / double(C);
    for (std::int64_t c = 0; c < C; ++c) {
      const double g = double(dy[m * C + c]) * double(weight[c]);
      dx[m * C + c] = float(double(dx[m * C + c]) + r * (g - double(row[c]) * pull));
    }
  }
  return {};
}

}  // namespace namesake
