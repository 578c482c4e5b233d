// SwiGLU: y = silu(gate) * up with silu(g) = g / (1 + exp(-g)).
#include <cmath>

#include "backend/reference/reference_backend.h"

namespace namesake {

Status ReferenceBackend::swiglu_forward(const float* gate, const float* up, std::int64_t n, float* y) {
  for (std::int64_t i = 0; i < n; ++i) {
    const double g = gate[i];
    y[i] = float(g / (1 + std::exp(-g)) * double(up[i]));
  }
  return {};
}

Status ReferenceBackend::swiglu_backward(const float* dy, const float* gate, const float* up, std::int64_t n,
                                         float* dgate, float* dup) {
  for (std::int64_t i = 0; i < n; ++i) {
    const double g = gate[i], u = up[i], d = dy[i];
    const double s = 1 / (1 + std::exp(-g));
    dgate[i] = float(d * u * s * (1 + g * (1 - s)));
    dup[i] = float(d * g * s);
  }
  return {};
}

}  // namespace namesake
