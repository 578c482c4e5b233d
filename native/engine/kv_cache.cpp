// See engine/kv_cache.h.
#include "engine/kv_cache.h"

namespace namesake {

std::size_t KvCache::bytes(const Config& config, std::int64_t slots, std::int64_t capacity) {
  return static_cast<std::size_t>(2 * config.layers * slots * capacity * config.kv_heads * config.head_dim) * sizeof(float);
}

void KvCache::place(float* memory, std::int64_t slots, std::int64_t capacity) {
  keys_ = memory;
  values_ = memory + layers_ * slots * capacity * row_;
  slots_ = slots;
  capacity_ = capacity;
}

KvView KvCache::layer(std::int64_t l) const {
  const std::int64_t at = l * slots_ * capacity_ * row_;
  return {keys_ + at, values_ + at, capacity_};
}

Status KvCache::copy_prefix(std::int64_t from, std::int64_t to, std::int64_t count) {
  const std::size_t bytes = static_cast<std::size_t>(count * row_) * sizeof(float);
  const std::int64_t slot = capacity_ * row_;
  for (std::int64_t l = 0; l < layers_; ++l) {
    const KvView view = layer(l);
    NAMESAKE_TRY(backend_.copy(view.k + to * slot, view.k + from * slot, bytes));
    NAMESAKE_TRY(backend_.copy(view.v + to * slot, view.v + from * slot, bytes));
  }
  return {};
}

}  // namespace namesake
