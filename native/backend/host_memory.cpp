// See backend/host_memory.h. Formats: proc(5), Documentation/admin-guide/cgroup-v1/memory.rst and cgroup-v2.rst of the kernel.
#include "backend/host_memory.h"

#include <algorithm>
#include <limits>

#if defined(_WIN32)
#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#ifndef NOMINMAX
#define NOMINMAX
#endif
#include <windows.h>
#elif defined(__APPLE__)
#include <mach/mach.h>
#else
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <optional>
#include <sstream>
#include <vector>
#endif

namespace namesake {

namespace {

constexpr std::uint64_t kUnknown = std::numeric_limits<std::uint64_t>::max();

#if defined(_WIN32)

std::uint64_t available() {
  MEMORYSTATUSEX status = {};
  status.dwLength = sizeof status;
  if (!GlobalMemoryStatusEx(&status)) return kUnknown;
  return std::min<std::uint64_t>(status.ullAvailPhys, status.ullAvailPageFile);
}

#elif defined(__APPLE__)

std::uint64_t available() {
  vm_statistics64_data_t pages = {};
  mach_msg_type_number_t count = HOST_VM_INFO64_COUNT;
  vm_size_t page = 0;
  const mach_port_t host = mach_host_self();
  const bool told = host_page_size(host, &page) == KERN_SUCCESS &&
                    host_statistics64(host, HOST_VM_INFO64, reinterpret_cast<host_info64_t>(&pages), &count) == KERN_SUCCESS;
  mach_port_deallocate(mach_task_self(), host);
  if (!told) return kUnknown;
  // free_count counts the speculative pages already.
  return (std::uint64_t{pages.free_count} + pages.inactive_count + pages.purgeable_count) * page;
}

#else

/// The number after `key` at the start of a line, in the file's own unit.
std::optional<std::uint64_t> value_of(const std::string& path, const std::string& key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(key)) continue;
    std::istringstream rest(line.substr(key.size()));
    std::uint64_t value = 0;
    if (rest >> value) return value;
  }
  return {};
}

/// A file with one number; nothing for "max", a missing file or anything else.
std::optional<std::uint64_t> number_in(const std::string& path) {
  std::ifstream file(path);
  std::uint64_t value = 0;
  if (file >> value) return value;
  return {};
}

/// What the group in `folder` leaves: its limit less what it uses, file pages that the kernel drops first not counted.
std::uint64_t left_by_group(const std::string& folder, const char* limit, const char* usage, const char* inactive) {
  const auto most = number_in(folder + "/" + limit), used = number_in(folder + "/" + usage);
  if (!most || !used) return kUnknown;
  const std::uint64_t cache = value_of(folder + "/memory.stat", std::string(inactive) + " ").value_or(0);
  const std::uint64_t held = *used - std::min(*used, cache);
  return *most - std::min(*most, held);
}

/// The least that the groups from `path` up to `mount` leave. Inside a container the path may not exist below its mount: the
/// mount is then the container's own group.
std::uint64_t left_by_groups(const std::string& mount, std::string path, const char* limit, const char* usage,
                             const char* inactive) {
  std::uint64_t least = kUnknown;
  for (;;) {
    while (path.ends_with('/')) path.pop_back();
    least = std::min(least, left_by_group(mount + path, limit, usage, inactive));
    if (path.empty()) return least;
    path.resize(path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
  }
}

std::uint64_t left_by_all_groups(const std::string& root) {
  std::uint64_t least = kUnknown;
  std::ifstream file(root + "/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {  // "4:memory:/path" (v1), "0::/path" (v2)
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",", path = line.substr(second + 1);
    if (controllers == ",,") {
      least = std::min(least, left_by_groups(root + "/sys/fs/cgroup", path, "memory.max", "memory.current", "inactive_file"));
    } else if (controllers.find(",memory,") != std::string::npos) {
      least = std::min(least, left_by_groups(root + "/sys/fs/cgroup/memory", path, "memory.limit_in_bytes",
                                             "memory.usage_in_bytes", "total_inactive_file"));
    }
  }
  return least;
}

/// Address space that RLIMIT_AS leaves.
std::uint64_t left_by_limit(const std::string& root) {
  rlimit limit = {};
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return kUnknown;
  const auto pages = number_in(root + "/proc/self/statm");
  if (!pages) return kUnknown;
  const std::uint64_t used = *pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  return limit.rlim_cur - std::min<std::uint64_t>(limit.rlim_cur, used);
}

#endif

}  // namespace

std::uint64_t available_host_memory([[maybe_unused]] const std::string& root) {
#if defined(_WIN32) || defined(__APPLE__)
  return available();
#else
  const auto kilobytes = value_of(root + "/proc/meminfo", "MemAvailable:");
  return std::min({kilobytes ? *kilobytes * 1024 : kUnknown, left_by_all_groups(root), left_by_limit(root)});
#endif
}

}  // namespace namesake
