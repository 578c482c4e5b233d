// What happens where a load, store or cp.async is not plainly inside the allocation that its site touched last.
#include <cstdio>
#include <cstring>

#include "execute/device_memory.h"
#include "execute/loaded_module.h"
#include "execute/settings.h"
#include "execute/worker.h"

namespace ptxcpu {
namespace {

const char* name_of(u32 access) { return access & ACCESS_ATOMIC ? "atomic" : access & ACCESS_STORE ? "store" : "load"; }

/// describe_address into a buffer: a fault must not leave a string behind.
struct Description {
  char words[256];
  explicit Description(u64 address) { std::snprintf(words, sizeof words, "%s", describe_address(address).c_str()); }
};

/// No device reaches into another one's memory here.
bool lies_elsewhere(const Allocation& allocation, const Launch& launch) {
  return allocation.kind != MemoryKind::pinned && allocation.device != launch.module->device();
}

}  // namespace

void Worker::look_up(Thread& t, u32 site, u64 address, u32 bytes, u32 access) {
  Block& b = block_;
  const auto shown = static_cast<unsigned long long>(address);
  if (address & (bytes - 1)) fault(t, site, kMisalignedAddress, "misaligned %u-byte %s at 0x%llx", bytes, name_of(access), shown);
  if (access & ACCESS_LOCAL) {
    fault(t, site, kIllegalAddress, "local array %s of %u bytes out of bounds", name_of(access), bytes);
  }
  if (access & ACCESS_GENERIC) {
    const auto shared = reinterpret_cast<u64>(b.shared), params = reinterpret_cast<u64>(b.params);
    if (address >= shared && address + bytes <= shared + b.shared_size) {
      if (b.watch_races) shadow(t, site, address - shared, bytes, access & (ACCESS_STORE | ACCESS_ATOMIC));
      return;
    }
    if (address >= t.stack_low && address + bytes <= t.stack_high) return;
    if (address >= params && address + bytes <= params + launch_->params.size() && !(access & ACCESS_STORE)) return;
  }
  Allocation found;
  if (!open_allocation(address, bytes, &found)) {
    const Description where(address);
    fault(t, site, kIllegalAddress, "out-of-bounds global %s of %u bytes at 0x%llx (%s)", name_of(access), bytes, shown, where.words);
  }
  if (lies_elsewhere(found, *launch_)) {
    fault(t, site, kIllegalAddress, "global %s at 0x%llx, which is memory of device %d", name_of(access), shown, found.device);
  }
  if (found.kind == MemoryKind::constant && (access & ACCESS_STORE)) {
    fault(t, site, kIllegalAddress, "store to a __constant__ variable");
  }
  b.sites[site] = {found.base, found.size - bytes};
}

void Worker::shared_fault(Thread& t, u32 site, u64 offset, u32 bytes, u32 access) {
  const char* what = access & ACCESS_STORE ? "store" : "load";
  if (offset & (bytes - 1)) {
    fault(t, site, kMisalignedAddress, "misaligned %u-byte shared %s at offset %llu", bytes, what, static_cast<unsigned long long>(offset));
  }
  fault(t, site, kIllegalAddress, "out-of-bounds shared %s of %u bytes at offset %lld (the block has %u bytes)", what, bytes,
        static_cast<long long>(offset), block_.shared_size);
}

// Until the wait, readers see poison.
void Worker::copy_async(Thread& t, u32 site, u64 to, u64 from, u32 bytes, u32 read) {
  if (bytes != 4 && bytes != 8 && bytes != 16) fault(t, site, kLaunchFailed, "cp.async size must be 4, 8 or 16");
  if (read > bytes) fault(t, site, kLaunchFailed, "cp.async reads more bytes than it writes");
  if (to + bytes > block_.shared_size || to > block_.shared_size || (to & (bytes - 1))) shared_fault(t, site, to, bytes, ACCESS_STORE);
  if (from & (bytes - 1)) look_up(t, site, from, bytes, 0);
  Site& known = block_.sites[site];
  if (read && from - known.base > known.last) {
    Allocation found;
    if (!open_allocation(from, read, &found)) {
      const Description where(from);
      fault(t, site, kIllegalAddress, "cp.async reads out of bounds at 0x%llx (%s)", static_cast<unsigned long long>(from), where.words);
    }
    if (lies_elsewhere(found, *launch_)) {
      fault(t, site, kIllegalAddress, "cp.async reads at 0x%llx, which is memory of device %d", static_cast<unsigned long long>(from), found.device);
    }
    if (read == bytes) known = {found.base, found.size - bytes};
  }
  CopyQueue& queue = *static_cast<CopyQueue*>(t.copies);
  PendingCopy copy{static_cast<u32>(to), bytes, site, queue.group, {}};
  if (read) std::memcpy(copy.data, reinterpret_cast<const void*>(from), read);
  queue.copies.push_back(copy);
  if (block_.watch_races) shadow(t, site, to, bytes, ACCESS_STORE);
  if (settings().poison) std::memset(block_.shared + to, 0xff, bytes);
}

// All groups but the `left` newest are done; with 0, copies without a group too.
void Worker::wait_for_copies(Thread& t, u32 left) {
  CopyQueue& queue = *static_cast<CopyQueue*>(t.copies);
  if (left == 0 && !queue.copies.empty() && queue.copies.back().group == queue.group) ++queue.group;
  std::size_t done = 0;
  while (done < queue.copies.size() && queue.copies[done].group + left < queue.group) {
    const PendingCopy& copy = queue.copies[done++];
    if (block_.watch_races) shadow(t, copy.site, copy.to, copy.bytes, ACCESS_STORE);
    std::memcpy(block_.shared + copy.to, copy.data, copy.bytes);
  }
  queue.copies.erase(queue.copies.begin(), queue.copies.begin() + static_cast<std::ptrdiff_t>(done));
}

}  // namespace ptxcpu
