// Arena: one block of a backend's memory of a planned size, handed out by name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "backend/ops.h"

namespace namesake {

/// Memory that is asked for once, in full, and handed out piece by piece; what was not planned for is refused. Released with its
/// owner.
class Arena {
 public:
  explicit Arena(std::shared_ptr<Backend> backend) : backend_(std::move(backend)) {}
  ~Arena() { release(); }
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  /// Bytes that a piece of `bytes` takes: pieces begin at cache lines.
  static std::size_t padded(std::size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

  /// Allocates `bytes`, zeroed, in place of what was there; all pieces are dead. memory.insufficient (of a card's memory
  /// gpu.memory_insufficient; with both numbers, `what` the bytes are for, and nothing allocated) where the backend has less available.
  Status reserve(std::size_t bytes, const std::string& what);

  /// Points `piece` at the next `bytes`. `internal` names the piece that the plan has no room for.
  template <class T>
  Status take(T*& piece, std::size_t bytes, const char* name) {
    std::byte* memory = nullptr;
    NAMESAKE_TRY(take_bytes(memory, bytes, name));
    piece = reinterpret_cast<T*>(memory);
    return {};
  }

  /// Gives everything back: empty until the next reserve.
  void release();

  std::size_t capacity() const { return capacity_; }  ///< planned
  std::size_t used() const { return used_; }          ///< handed out: at most the capacity
  Backend& backend() const { return *backend_; }

 private:
  static constexpr std::size_t kAlignment = 64;

  Status take_bytes(std::byte*& piece, std::size_t bytes, const char* name);

  std::shared_ptr<Backend> backend_;
  std::byte* data_ = nullptr;
  std::size_t capacity_ = 0;
  std::size_t used_ = 0;
};

/// memory.insufficient (of a card's memory gpu.memory_insufficient) where `backend` has less than `needed` bytes available.
Status check_available(const Backend& backend, std::size_t needed, const std::string& what);

/// Ops use memory of a plan as their scratch, for the length of a call.
class ScratchScope {
 public:
  ScratchScope(Backend& backend, std::byte* memory, std::size_t bytes) : backend_(backend) { backend_.lend_scratch(memory, bytes); }
  ~ScratchScope() { backend_.lend_scratch(nullptr, 0); }
  ScratchScope(const ScratchScope&) = delete;
  ScratchScope& operator=(const ScratchScope&) = delete;

 private:
  Backend& backend_;
};

}  // namespace namesake
