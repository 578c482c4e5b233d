// Stand-in counts: what launches did, as the stand-in for a driver counts it (tests/native/ptxcpu).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace namesake::test {

/// Of all threads of a launch; bytes are those that they ask for, before any cache.
struct LaunchCounts {
  std::int64_t global_load_bytes, global_store_bytes, mma, ldmatrix;
  std::int64_t mma_flop;             ///< products and sums of mma
  std::int64_t thread_instructions;  ///< of PTX; a warp's mma counts 32 times
};

struct CountedLaunch {
  std::string kernel;
  LaunchCounts counts;
};

/// All launches within `run`, in order. `run` waits for the last. Only where StandIn::there().
std::vector<CountedLaunch> launches_of(const std::function<void()>& run);

/// What the last launch of `kernel` within `run` did.
LaunchCounts counts_of(const std::string& kernel, const std::function<void()>& run);

}  // namespace namesake::test
