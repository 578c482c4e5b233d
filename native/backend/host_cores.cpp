#include "backend/host_cores.h"

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <set>
#include <string>
#include <thread>

#if defined(__linux__)
#include <sched.h>
#elif defined(__APPLE__)
#include <sys/sysctl.h>
#endif

namespace namesake {
namespace {

#if defined(__linux__)
/// First line of a small file, empty if there is none.
std::string first_line(const char* path) {
  std::string line;
  if (std::FILE* file = std::fopen(path, "r")) {
    char text[256];
    if (std::fgets(text, sizeof text, file)) line = text;
    std::fclose(file);
  }
  return line;
}

/// CPUs that the cgroup's quota allows, rounded up; a large number where there is no quota.
int cgroup_quota() {
  long long quota = 0, period = 0;
  const std::string line = first_line("/sys/fs/cgroup/cpu.max");
  if (std::sscanf(line.c_str(), "%lld %lld", &quota, &period) == 2 && quota > 0 && period > 0) {
    return static_cast<int>(std::max<long long>(1, (quota + period - 1) / period));
  }
  return 1 << 20;
}
#endif

}  // namespace

int physical_cores() {
#if defined(__linux__)
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) {
    std::set<std::string> cores;
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (!CPU_ISSET(cpu, &allowed)) continue;
      const std::string path = "/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/thread_siblings_list";
      const std::string siblings = first_line(path.c_str());
      cores.insert(siblings.empty() ? std::to_string(cpu) : siblings);
    }
    if (!cores.empty()) return std::min(static_cast<int>(cores.size()), cgroup_quota());
  }
#elif defined(__APPLE__)
  int cores = 0;
  std::size_t size = sizeof cores;
  if (sysctlbyname("hw.physicalcpu", &cores, &size, nullptr, 0) == 0 && cores > 0) return cores;
#endif
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency() / 2));
}

}  // namespace namesake
