#include "backend/cpu/memory.h"

#include <cstdint>
#include <cstdlib>
#include <string>

namespace namesake::cpu {
namespace {

constexpr std::size_t kAlignment = 64;

}  // namespace

void* allocate_zeroed(std::size_t bytes) {
  // The block's own address stands just before the aligned part. calloc maps fresh zero pages for anything large.
  const std::size_t extra = kAlignment + sizeof(void*);
  if (bytes > SIZE_MAX - extra) return nullptr;
  void* block = std::calloc(1, bytes + extra);
  if (!block) return nullptr;
  const std::uintptr_t start = reinterpret_cast<std::uintptr_t>(block) + sizeof(void*);
  void* aligned = reinterpret_cast<void*>((start + kAlignment - 1) / kAlignment * kAlignment);
  static_cast<void**>(aligned)[-1] = block;
  return aligned;
}

void release(void* pointer) {
  if (pointer) std::free(static_cast<void**>(pointer)[-1]);
}

Status Scratch::reserve(std::size_t floats) {
  if (floats <= floats_) return {};
  release(data_);
  data_ = static_cast<float*>(allocate_zeroed(floats * sizeof(float)));
  floats_ = data_ ? floats : 0;
  if (data_) return {};
  return Status::error(Code::memory_insufficient, "no room for " + std::to_string(floats * sizeof(float)) + " bytes of scratch");
}

}  // namespace namesake::cpu
