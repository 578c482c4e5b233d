// Device memory: one reserved range of addresses, handed out upwards and never twice, so that a stale pointer is always recognised.
// Each allocation ends before a page that cannot be touched.
#pragma once
#include <cstdint>
#include <string>

namespace ptxcpu {

enum class MemoryKind { device, variable, constant, managed, pinned };

struct Allocation {
  std::uint64_t base = 0, size = 0;
  MemoryKind kind = MemoryKind::device;
  int device = 0;  ///< whose it is; of pinned memory, whose context asked for it
  bool open = true;  ///< may be touched: what the guard closed is opened by open_allocation
};

/// A set of kinds, for free_memory.
constexpr unsigned kind_bit(MemoryKind kind) { return 1u << static_cast<unsigned>(kind); }

/// kOutOfMemory beyond what the device has for the program (device and managed memory alone), or where PTXCPU_FAIL_ALLOC says so.
int allocate(std::uint64_t size, MemoryKind kind, int device, std::uint64_t* address);
/// kInvalidValue, and a report that names `caller`, for what is not the start of a live allocation of these kinds.
int free_memory(std::uint64_t address, unsigned kinds, const char* caller);
/// Is [address, address + size) inside one live allocation? Then `found` is it.
bool find_allocation(std::uint64_t address, std::uint64_t size, Allocation* found);
/// find_allocation for what is about to be touched: with PTXCPU_GUARD the allocation is opened until the last DeviceAccess ends, so that
/// a launch pays for the memory that it uses.
bool open_allocation(std::uint64_t address, std::uint64_t size, Allocation* found);
/// Where an address lies, in words: freed, or how far from which allocation.
std::string describe_address(std::uint64_t address);
/// Bytes of live allocations of a device, pinned host memory apart.
std::uint64_t memory_used(int device);
/// Changes with every free, and when the guard closes something: what a site remembers of an older one may not be touched any more.
std::uint64_t memory_generation();
/// Whoever opens allocations holds one: kernels and copies. The guard closes them when the last one ends.
class DeviceAccess {
 public:
  DeviceAccess();
  ~DeviceAccess();
  DeviceAccess(const DeviceAccess&) = delete;
  DeviceAccess& operator=(const DeviceAccess&) = delete;
};
/// Begins or ends to guard what is allocated now, as the settings say.
void guard_memory();
/// The next allocation is the first again (PTXCPU_FAIL_ALLOC).
void restart_allocation_count();

}  // namespace ptxcpu
