// Host memory: what this machine could still give to this process.
#pragma once

#include <cstdint>
#include <string>

namespace namesake {

/// Bytes that this process could still take without pushing the machine into swapping: the least of
///  - Linux: MemAvailable, what the process's cgroups (v1 and v2, with their parents) leave, and RLIMIT_AS;
///  - macOS: free, inactive, speculative and purgeable pages (host_statistics64);
///  - Windows: available physical memory, and what may still be committed (GlobalMemoryStatusEx).
/// An estimate: other programs come and go. `root` stands before every path that is read (tests). UINT64_MAX where the system
/// tells nothing.
std::uint64_t available_host_memory(const std::string& root = "");

}  // namespace namesake
