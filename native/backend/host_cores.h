// Host cores: how many threads of this machine are worth having.
#pragma once

namespace namesake {

/// Physical cores this process may run on: distinct cores of the affinity mask and at most the cgroup's quota (Linux),
/// hw.physicalcpu (macOS), else half of std::thread::hardware_concurrency(), the usual two hardware threads a core.
int physical_cores();

}  // namespace namesake
