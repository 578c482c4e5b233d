// Memory of the cpu backend: zeroed, aligned to cache lines, touched only when used.
#pragma once

#include <cstddef>

#include "namesake/status.h"

namespace namesake::cpu {

/// `bytes` of zeroed memory aligned to 64, from pages that cost nothing until they are written; nullptr if there are none.
void* allocate_zeroed(std::size_t bytes);
void release(void* pointer);
/// Gives the whole pages inside back to the system until they are written again.
void discard(void* pointer, std::size_t bytes);

/// Scratch of the ops: memory that was lent, or else a buffer of its own that only grows. What it holds is lost between ops.
class Scratch {
 public:
  Scratch() = default;
  ~Scratch() { release(own_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  /// Uses `bytes` at `memory` from now on; nullptr: its own buffer again.
  void lend(void* memory, std::size_t bytes) {
    lent_ = static_cast<float*>(memory);
    lent_floats_ = bytes / sizeof(float);
  }
  /// Room for `floats` values: memory.insufficient, or `internal` where more was planned for than was lent.
  Status reserve(std::size_t floats);
  float* data() const { return lent_ ? lent_ : own_; }

 private:
  float* own_ = nullptr;
  std::size_t own_floats_ = 0;
  float* lent_ = nullptr;
  std::size_t lent_floats_ = 0;
};

}  // namespace namesake::cpu
