// See engine/arena.h.
#include "engine/arena.h"

namespace namesake {

namespace {

/// memory.insufficient with the numbers, of a card's memory gpu.memory_insufficient.
Status no_room(const Backend& backend, std::uint64_t needed, std::uint64_t available, const std::string& what) {
  Status status = Status::out_of_memory(what, needed, available);
  if (!backend.reads_host_memory()) status.code = Code::gpu_memory_insufficient;
  return status;
}

}  // namespace

Status check_available(const Backend& backend, std::size_t needed, const std::string& what) {
  const std::uint64_t available = backend.available();
  if (needed <= available) return {};
  return no_room(backend, needed, available, what);
}

Status Arena::reserve(std::size_t bytes, const std::string& what) {
  release();
  NAMESAKE_TRY(check_available(*backend_, bytes, what));
  const Result<void*> memory = backend_->allocate(bytes);
  if (memory.status().code == Code::gpu_failed) return memory.status();
  if (!memory.ok()) return no_room(*backend_, bytes, backend_->available(), what);
  data_ = static_cast<std::byte*>(memory.value());
  capacity_ = bytes;
  return {};
}

Status Arena::take_bytes(std::byte*& piece, std::size_t bytes, const char* name) {
  const std::size_t size = padded(bytes);
  if (size < bytes || size > capacity_ - used_) {
    return Status::error(Code::internal, std::string(name) + " needs " + std::to_string(bytes) + " bytes, the plan has " +
                                             std::to_string(capacity_ - used_) + " left of " + std::to_string(capacity_));
  }
  piece = data_ + used_;
  used_ += size;
  return {};
}

void Arena::release() {
  if (data_) backend_->release(data_);
  data_ = nullptr;
  capacity_ = used_ = 0;
}

}  // namespace namesake
