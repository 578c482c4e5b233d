// add: y += x.
#include "backend/reference/reference_backend.h"

namespace namesake {

Status ReferenceBackend::add(const float* x, std::int64_t n, float* y) {
  for (std::int64_t i = 0; i < n; ++i) y[i] += x[i];
  return {};
}

}  // namespace namesake
