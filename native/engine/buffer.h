// Buffer: backend memory with an owner.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "backend/ops.h"

namespace namesake {

/// Memory of one backend, released with its owner or by release(); until then it only grows.
class Buffer {
 public:
  explicit Buffer(Backend& backend) : backend_(&backend) {}
  ~Buffer() { release(); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  Buffer(Buffer&& other) noexcept
      : backend_(other.backend_), data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(backend_, other.backend_);
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }

  /// Makes room for `bytes`. Contents are zero after growth, else unchanged. memory.insufficient leaves it empty.
  Status reserve(std::size_t bytes) {
    if (bytes <= bytes_) return {};
    release();
    Result<void*> memory = backend_->allocate(bytes);
    if (!memory.ok()) return memory.status();
    data_ = memory.value();
    bytes_ = bytes;
    return {};
  }

  /// Gives the memory back: empty until the next reserve.
  void release() {
    if (data_) backend_->release(data_);
    data_ = nullptr;
    bytes_ = 0;
  }

  std::byte* data() const { return static_cast<std::byte*>(data_); }
  float* floats() const { return static_cast<float*>(data_); }
  std::size_t bytes() const { return bytes_; }

 private:
  Backend* backend_;
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace namesake
