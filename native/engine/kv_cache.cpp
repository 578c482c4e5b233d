// See engine/kv_cache.h.
#include "engine/kv_cache.h"

namespace namesake {

Status KvCache::reserve(std::int64_t slots, std::int64_t capacity) {
  const std::size_t bytes = static_cast<std::size_t>(layers_ * slots * capacity * row_) * sizeof(float);
  NAMESAKE_TRY(keys_.reserve(bytes));
  NAMESAKE_TRY(values_.reserve(bytes));
  slots_ = slots;
  capacity_ = capacity;
  return {};
}

KvView KvCache::layer(std::int64_t l) const {
  const std::int64_t at = l * slots_ * capacity_ * row_;
  return {keys_.floats() + at, values_.floats() + at, capacity_};
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
