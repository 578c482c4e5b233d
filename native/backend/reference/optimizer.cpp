// AdamW and the gradient norm's sum of squares.
#include <algorithm>
#include <array>
#include <cmath>

#include "backend/reference/reference_backend.h"
#include "formats/dynamic_map.h"

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

Status ReferenceBackend::adamw_8bit(const AdamW& options, std::int64_t n, const float* grad, float* value, std::uint8_t* m_codes,
                                    float* m_absmax, std::uint8_t* v_codes, float* v_absmax) {
  std::array<float, kDynamicBlock> m, v;
  for (std::int64_t first = 0; first < n; first += kDynamicBlock) {
    const std::int64_t count = std::min(kDynamicBlock, n - first), block = first / kDynamicBlock;
    decode_dynamic(signed_dynamic_map(), m_codes + first, m_absmax + block, count, m.data());
    decode_dynamic(unsigned_dynamic_map(), v_codes + first, v_absmax + block, count, v.data());
    NAMESAKE_TRY(adamw(options, count, grad + first, value + first, m.data(), v.data()));
    m_absmax[block] = encode_dynamic_block(signed_dynamic_map(), m.data(), count, m_codes + first);
    v_absmax[block] = encode_dynamic_block(unsigned_dynamic_map(), v.data(), count, v_codes + first);
  }
  return {};
}

}  // namespace namesake
