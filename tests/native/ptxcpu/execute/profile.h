// The devices that the stand-in can be.
#pragma once
#include <cstdint>
#include <string>

namespace ptxcpu {

struct Profile {
  const char* name;         ///< the value of PTXCPU_PROFILE
  const char* device_name;  ///< what cuDeviceGetName says; nullptr for a machine without a device
  int arch;                 ///< compute capability, times ten
  std::uint64_t memory;     ///< bytes
  int multiprocessors;
  int driver_version;  ///< as cuDriverGetVersion has it: 1000 · major + 10 · minor
  int ptx_version;     ///< the newest .version that the driver takes, times ten
  int clock_khz, memory_clock_khz, bus_bits;
  int l2_bytes;
};

/// The profile of this name, or nullptr.
const Profile* profile_named(const std::string& name);
/// All names, with commas.
std::string profile_names();
/// Bytes of shared memory that a block may have by opting in. CUDA C++ Programming Guide, "Technical Specifications per Compute
/// Capability".
std::uint32_t shared_optin(int arch);
/// Threads that a multiprocessor holds at a time, and blocks; the same table.
int threads_per_multiprocessor(int arch);
int blocks_per_multiprocessor(int arch);

}  // namespace ptxcpu
