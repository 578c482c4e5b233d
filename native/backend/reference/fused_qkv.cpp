// The output of a fused q/k/v layer, taken apart and put together: feature by feature, by what each is for.
#include "backend/reference/reference_backend.h"

namespace namesake {

namespace {

/// Calls copy(place in qkv, place in its own array, array) for every value; array 0 = q, 1 = k, 2 = v.
template <class Copy>
void for_each_value(std::int64_t M, std::int64_t heads, std::int64_t kv_heads, std::int64_t D, Copy copy) {
  const std::int64_t queries = heads / kv_heads, slots = queries + 2;
  for (std::int64_t m = 0; m < M; ++m) {
    for (std::int64_t g = 0; g < kv_heads; ++g) {
      for (std::int64_t slot = 0; slot < slots; ++slot) {
        for (std::int64_t d = 0; d < D; ++d) {
          const std::int64_t from = ((m * kv_heads + g) * slots + slot) * D + d;
          if (slot < queries) {
            copy(from, (m * heads + g * queries + slot) * D + d, 0);
          } else {
            copy(from, (m * kv_heads + g) * D + d, slot == queries ? 1 : 2);
          }
        }
      }
    }
  }
}

}  // namespace

Status ReferenceBackend::split_qkv(const float* qkv, std::int64_t M, std::int64_t heads, std::int64_t kv_heads, std::int64_t D,
                                   float* q, float* k, float* v) {
  float* const to[] = {q, k, v};
  for_each_value(M, heads, kv_heads, D, [&](std::int64_t at, std::int64_t own, int array) { to[array][own] = qkv[at]; });
  return {};
}

Status ReferenceBackend::join_qkv(const float* q, const float* k, const float* v, std::int64_t M, std::int64_t heads,
                                  std::int64_t kv_heads, std::int64_t D, float* qkv) {
  const float* const from[] = {q, k, v};
  for_each_value(M, heads, kv_heads, D, [&](std::int64_t at, std::int64_t own, int array) { qkv[at] = from[array][own]; });
  return {};
}

}  // namespace namesake
