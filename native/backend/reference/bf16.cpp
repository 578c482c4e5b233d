// f32 to bf16 and back.
#include "backend/reference/reference_backend.h"
#include "formats/blocks.h"

namespace namesake {

Status ReferenceBackend::to_bf16(const float* x, std::int64_t n, std::uint16_t* y) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = f32_to_bf16(x[i]);
  return {};
}

Status ReferenceBackend::from_bf16(const std::uint16_t* x, std::int64_t n, float* y) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = bf16_to_f32(x[i]);
  return {};
}

}  // namespace namesake
