// A kernel launch, and what it did.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "runtime/abi.h"

namespace ptxcpu {

class LoadedModule;

struct Launch {
  const LoadedModule* module;
  const KernelInfo* kernel;
  std::uint32_t grid[3], block[3], dynamic_shared;
  std::vector<unsigned char> params;
};

/// Runs the whole grid; kSuccess or the error of the first block that failed.
int run_launch(const Launch& launch);

/// What a launch that ran to its end did. They are kept in order, from the last restart on.
struct LaunchRecord {
  std::string kernel;
  Counts counts;
};
std::vector<LaunchRecord> launch_records();
/// Forgets the records; the next launch is the first again (PTXCPU_FAIL_LAUNCH).
void restart_launch_count();

/// Blocks that a worker ran in the last launch.
std::uint64_t blocks_of_worker(int worker);

}  // namespace ptxcpu
