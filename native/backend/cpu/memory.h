// Memory of the cpu backend: zeroed, aligned to cache lines, touched only when used.
#pragma once

#include <cstddef>

#include "namesake/status.h"

namespace namesake::cpu {

/// `bytes` of zeroed memory aligned to 64, from pages that cost nothing until they are written; nullptr if there are none.
void* allocate_zeroed(std::size_t bytes);
void release(void* pointer);

/// A buffer that only grows. Its content is lost when it grows.
class Scratch {
 public:
  Scratch() = default;
  ~Scratch() { release(data_); }
  Scratch(Scratch&& other) noexcept : data_(other.data_), floats_(other.floats_) { other.data_ = nullptr, other.floats_ = 0; }
  Scratch& operator=(Scratch&&) = delete;

  /// Room for `floats` values, or memory.insufficient.
  Status reserve(std::size_t floats);
  float* data() const { return data_; }

 private:
  float* data_ = nullptr;
  std::size_t floats_ = 0;
};

}  // namespace namesake::cpu
