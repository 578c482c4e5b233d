#include "backend/cuda/staging.h"

#include <algorithm>
#include <cstring>

namespace namesake::cuda {

// The context is idle by now, or has failed.
Staging::~Staging() {
  for (const Part& part : parts_) {
    if (part.memory != nullptr) context_.driver()->api().cuMemFreeHost(part.memory);
  }
}

/// Leaves the current part, and waits until the next has been copied out of.
Status Staging::next_part() {
  Part& full = parts_[current_];
  if (!full.free) {
    auto made = Event::make(context_);
    if (!made.ok()) return made.status();
    full.free = made.take();
  }
  NAMESAKE_TRY(full.free->record(context_.stream()));
  current_ = (current_ + 1) % parts_.size();
  Part& next = parts_[current_];
  if (next.free) NAMESAKE_TRY(next.free->wait());
  next.used = 0;
  return {};
}

Status Staging::upload(CUdeviceptr to, const void* from, std::size_t bytes) {
  const Driver& driver = *context_.driver();
  const auto* source = static_cast<const std::byte*>(from);
  while (bytes > 0) {
    if (parts_[current_].used == kPartBytes) NAMESAKE_TRY(next_part());
    Part& part = parts_[current_];
    if (part.memory == nullptr) {
      void* memory = nullptr;
      NAMESAKE_TRY(driver.status(driver.api().cuMemHostAlloc(&memory, kPartBytes, 0), "memory for copies"));
      part.memory = static_cast<std::byte*>(memory);
    }
    const std::size_t count = std::min(bytes, kPartBytes - part.used);
    std::memcpy(part.memory + part.used, source, count);
    NAMESAKE_TRY(driver.status(driver.api().cuMemcpyHtoDAsync(to, part.memory + part.used, count, context_.stream()), "copying to the card"));
    part.used = std::min(kPartBytes, (part.used + count + 63) / 64 * 64);
    to += count;
    source += count;
    bytes -= count;
  }
  return {};
}

}  // namespace namesake::cuda
