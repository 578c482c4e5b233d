// Stand-in counts: what one launch did, as the stand-in for a driver counts it (tests/native/ptxcpu).
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace namesake::test {

/// Of all threads of a launch; bytes are those that they ask for, before any cache.
struct LaunchCounts {
  std::int64_t global_load_bytes, global_store_bytes, mma, ldmatrix;
};

/// What the last launch of `kernel` within `run` did. Only where StandIn::there().
LaunchCounts counts_of(const std::string& kernel, const std::function<void()>& run);

}  // namespace namesake::test
