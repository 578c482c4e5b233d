#include "execute/device_memory.h"

#include <sys/mman.h>

#include <atomic>
#include <cstring>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <vector>

#include "execute/error.h"
#include "execute/report.h"
#include "execute/settings.h"
#include "ptx/text.h"

namespace ptxcpu {
namespace {

using u64 = std::uint64_t;
using Allocations = std::map<u64, Allocation>;

constexpr u64 kPage = 4096;
constexpr u64 kLargestRange = 1ull << 42;
constexpr u64 kSmallestRange = 1ull << 34;

struct Range {
  char* base = nullptr;
  u64 size = 0, top = 0;
};

std::shared_mutex mutex;
Range range;
Allocations live, freed;
u64 used[kMostDevices] = {}, allocations = 0;
std::atomic<u64> generation{1};
bool guarded = false;     // by the settings
int accesses = 0;         // DeviceAccess that live
std::vector<u64> opened;  // while they do, of guarded memory

u64 pages(u64 size) { return (size + kPage - 1) / kPage * kPage; }

bool reserve() {
  for (u64 size = kLargestRange; !range.base && size >= kSmallestRange; size /= 2) {
    void* at = mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at != MAP_FAILED) range = {static_cast<char*>(at), size, 0};
  }
  return range.base != nullptr;
}

/// Opens or closes memory that cuMemAlloc gave; of other kinds the program may touch all.
void protect(Allocation& allocation, bool open) {
  if (allocation.kind != MemoryKind::device || allocation.open == open) return;
  allocation.open = open;
  mprotect(reinterpret_cast<void*>(allocation.base), pages(allocation.size), open ? PROT_READ | PROT_WRITE : PROT_NONE);
}

void protect_all(bool open) {
  for (auto& [base, allocation] : live) protect(allocation, open);
  if (!open) ++generation;
}

bool counts_as_device(MemoryKind kind) { return kind == MemoryKind::device || kind == MemoryKind::managed; }

const Allocation* inside(const Allocations& all, u64 address, u64 size) {
  auto found = all.upper_bound(address);
  if (found == all.begin()) return nullptr;
  const Allocation& candidate = (--found)->second;
  const u64 offset = address - candidate.base;
  return offset <= candidate.size && size <= candidate.size - offset ? &candidate : nullptr;
}

}  // namespace

int allocate(u64 size, MemoryKind kind, int device, u64* address) {
  const std::unique_lock lock(mutex);
  if (counts_as_device(kind) && ++allocations == settings().fail_allocation) return kOutOfMemory;
  const u64 span = pages(size) + kPage;
  if (!reserve() || range.top + span > range.size) return kOutOfMemory;
  if (counts_as_device(kind) && used[device] + size > memory_for_program(device)) return kOutOfMemory;
  char* at = range.base + range.top;
  if (mprotect(at, span - kPage, PROT_READ | PROT_WRITE) != 0) return kOutOfMemory;
  range.top += span;
  if (kind != MemoryKind::pinned) used[device] += size;
  const bool variable = kind == MemoryKind::variable || kind == MemoryKind::constant;
  if (!variable && (settings().poison || kind == MemoryKind::pinned)) std::memset(at, 0xff, size);
  *address = reinterpret_cast<u64>(at);
  protect(live[*address] = {*address, size, kind, device}, !guarded);
  return kSuccess;
}

int free_memory(u64 address, unsigned kinds, const char* caller) {
  std::unique_lock lock(mutex);
  const auto found = live.find(address);
  if (found == live.end() || !(kinds & kind_bit(found->second.kind))) {
    const bool twice = freed.contains(address);
    lock.unlock();
    report(text("$($): $", caller, hex(address), twice ? "double free" : "not the start of a live allocation of this kind"));
    return kInvalidValue;
  }
  const Allocation gone = found->second;
  live.erase(found);
  freed[address] = gone;
  if (gone.kind != MemoryKind::pinned) used[gone.device] -= gone.size;
  ++generation;
  void* at = reinterpret_cast<void*>(address);
  madvise(at, pages(gone.size), MADV_DONTNEED);
  mprotect(at, pages(gone.size), PROT_NONE);
  return kSuccess;
}

DeviceAccess::DeviceAccess() {
  const std::unique_lock lock(mutex);
  ++accesses;
}

DeviceAccess::~DeviceAccess() {
  const std::unique_lock lock(mutex);
  if (--accesses > 0 || opened.empty()) return;
  for (const u64 base : opened) {
    if (const auto found = live.find(base); found != live.end()) protect(found->second, !guarded);
  }
  opened.clear();
  ++generation;
}

void guard_memory() {
  const std::unique_lock lock(mutex);
  if (guarded == settings().guard) return;
  guarded = settings().guard;
  if (!guarded || accesses == 0) return protect_all(!guarded);
  // What a kernel may be using is closed behind it.
  for (const auto& [base, allocation] : live) opened.push_back(base);
}

bool find_allocation(u64 address, u64 size, Allocation* found) {
  const std::shared_lock lock(mutex);
  const Allocation* it = inside(live, address, size);
  if (it) *found = *it;
  return it != nullptr;
}

bool open_allocation(u64 address, u64 size, Allocation* found) {
  if (!find_allocation(address, size, found)) return false;
  if (found->open) return true;
  const std::unique_lock lock(mutex);
  const auto it = live.find(found->base);
  if (it == live.end()) return false;
  if (!it->second.open) opened.push_back(it->first);
  protect(it->second, true);
  return true;
}

std::string describe_address(u64 address) {
  const std::shared_lock lock(mutex);
  if (address < kPage) return "null pointer";
  if (const Allocation* gone = inside(freed, address, 1)) {
    return text("use after free: byte $ of a freed $-byte allocation", address - gone->base, gone->size);
  }
  std::string out;
  const auto above = live.upper_bound(address);
  if (above != live.begin()) {
    const Allocation& below = std::prev(above)->second;
    if (address - below.base < (1ull << 32)) {
      const auto past = static_cast<std::int64_t>(address - below.base - below.size);
      out = text("$ bytes past the end of the $-byte allocation at $", past, below.size, hex(below.base));
    }
  }
  if (above != live.end() && above->second.base - address < 65536) {
    out += text("$$ bytes before the $-byte allocation at $", out.empty() ? "" : ", ", above->second.base - address, above->second.size,
                hex(above->second.base));
  }
  return out.empty() ? "not in any device allocation" : out;
}

u64 memory_used(int device) {
  const std::shared_lock lock(mutex);
  return used[device];
}

u64 memory_generation() { return generation; }

void restart_allocation_count() {
  const std::unique_lock lock(mutex);
  allocations = 0;
}

}  // namespace ptxcpu
