#include "backend/cpu/memory.h"

#include <cstdint>
#include <cstdlib>
#include <string>

#if defined(_WIN32)
// MinGW's headers have defined the last two by now, the version as an older one perhaps.
#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#ifndef NOMINMAX
#define NOMINMAX
#endif
#undef _WIN32_WINNT
#define _WIN32_WINNT 0x0A00  // DiscardVirtualMemory
#include <windows.h>
#else
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace namesake::cpu {
namespace {

constexpr std::size_t kAlignment = 64;

std::size_t page_size() {
#if defined(_WIN32)
  SYSTEM_INFO info;
  GetSystemInfo(&info);
  return info.dwPageSize;
#else
  return static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
#endif
}

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

void discard(void* pointer, std::size_t bytes) {
  const std::uintptr_t page = page_size(), start = reinterpret_cast<std::uintptr_t>(pointer);
  const std::uintptr_t first = (start + page - 1) / page * page, last = (start + bytes) / page * page;
  if (last <= first) return;
  void* pages = reinterpret_cast<void*>(first);
  // Advice: where the system does not take it, the pages stay.
#if defined(_WIN32)
  DiscardVirtualMemory(pages, last - first);
#elif defined(__APPLE__)
  madvise(pages, last - first, MADV_FREE_REUSABLE);
#else
  madvise(pages, last - first, MADV_DONTNEED);
#endif
}

Status Scratch::reserve(std::size_t floats) {
  if (lent_) {
    if (floats <= lent_floats_) return {};
    return Status::error(Code::internal, "an op needs " + std::to_string(floats * sizeof(float)) + " bytes of scratch, " +
                                             std::to_string(lent_floats_ * sizeof(float)) + " were planned");
  }
  if (floats <= own_floats_) return {};
  release(own_);
  own_ = static_cast<float*>(allocate_zeroed(floats * sizeof(float)));
  own_floats_ = own_ ? floats : 0;
  if (own_) return {};
  return Status::error(Code::memory_insufficient, "no room for " + std::to_string(floats * sizeof(float)) + " bytes of scratch");
}

}  // namespace namesake::cpu
