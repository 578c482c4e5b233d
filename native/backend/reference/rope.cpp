// Rope: each pair of features is turned by the angle of its position; backward turns it back.
#include "backend/reference/reference_backend.h"

namespace namesake {

namespace {

/// direction +1 turns forward, -1 back.
void rotate(float* x, const std::int32_t* positions, const RopeTable& table, std::int64_t M, std::int64_t heads,
            std::int64_t D, double direction) {
  const std::int64_t half = D / 2;
  for (std::int64_t m = 0; m < M; ++m) {
    const float* cos = table.cos + positions[m] * half;
    const float* sin = table.sin + positions[m] * half;
    for (std::int64_t h = 0; h < heads; ++h) {
      float* head = x + (m * heads + h) * D;
      for (std::int64_t i = 0; i < half; ++i) {
        float& first = head[table.adjacent ? 2 * i : i];
        float& second = head[table.adjacent ? 2 * i + 1 : i + half];
        const double a = first, b = second, c = cos[i], s = direction * double(sin[i]);
        first = float(a * c - b * s);
        second = float(a * s + b * c);
      }
    }
  }
}

}  // namespace

Status ReferenceBackend::rope_forward(float* x, const std::int32_t* positions, const RopeTable& table, std::int64_t M,
                                      std::int64_t heads, std::int64_t D) {
  rotate(x, positions, table, M, heads, D, 1);
  return {};
}

Status ReferenceBackend::rope_backward(float* dx, const std::int32_t* positions, const RopeTable& table, std::int64_t M,
                                       std::int64_t heads, std::int64_t D) {
  rotate(dx, positions, table, M, heads, D, -1);
  return {};
}

}  // namespace namesake
