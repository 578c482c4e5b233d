// KvCache: keys and values of every layer for the sequences that a generator holds.
#pragma once

#include <cstddef>
#include <cstdint>

#include "namesake/model.h"

namespace namesake {

/// Two arrays [L, slots, capacity, G, D], one for keys (after rope) and one for values.
class KvCache {
 public:
  KvCache(Backend& backend, const Config& config)
      : backend_(backend), layers_(config.layers), row_(config.kv_heads * config.head_dim) {}

  /// Bytes for `slots` sequences of `capacity` positions.
  static std::size_t bytes(const Config& config, std::int64_t slots, std::int64_t capacity);
  /// Uses `memory`, which has so many bytes. What was stored is lost.
  void place(float* memory, std::int64_t slots, std::int64_t capacity);

  /// Layer l for kv_write and attention_cached.
  KvView layer(std::int64_t l) const;

  /// Positions 0..count-1 of slot `from` become those of slot `to`, in every layer.
  Status copy_prefix(std::int64_t from, std::int64_t to, std::int64_t count);

 private:
  Backend& backend_;
  std::int64_t layers_;
  std::int64_t row_;           // floats of one position: G * D
  std::int64_t slots_ = 0;
  std::int64_t capacity_ = 0;
  float* keys_ = nullptr;
  float* values_ = nullptr;
};

}  // namespace namesake
