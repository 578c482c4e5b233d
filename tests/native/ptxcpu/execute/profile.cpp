#include "execute/profile.h"

namespace ptxcpu {
namespace {

constexpr std::uint64_t kGiB = 1ull << 30;

// Driver versions and the PTX that they take: CUDA Toolkit Release Notes and PTX ISA, "Release Notes".
const Profile kProfiles[] = {
    {"stand-in", "ptxcpu stand-in", 80, 8 * kGiB, 2, 13000, 90, 1000000, 1000000, 64, 4 << 20},
    {"turing-6gb", "NVIDIA GeForce RTX 2060", 75, 6 * kGiB, 30, 12040, 84, 1680000, 7001000, 192, 3 << 20},
    {"ampere-12gb", "NVIDIA GeForce RTX 3060", 86, 12 * kGiB, 28, 12040, 84, 1777000, 7501000, 192, 3 << 20},
    {"hopper", "NVIDIA H100 80GB HBM3", 90, 80 * kGiB, 132, 13000, 90, 1980000, 2619000, 5120, 50 << 20},
    {"pascal-8gb", "NVIDIA GeForce GTX 1080", 61, 8 * kGiB, 20, 12040, 84, 1733000, 5005000, 256, 2 << 20},
    {"old-driver", "NVIDIA GeForce RTX 3060", 86, 12 * kGiB, 28, 11000, 70, 1777000, 7501000, 192, 3 << 20},
    {"ancient-driver", "NVIDIA GeForce RTX 2060", 75, 6 * kGiB, 30, 10020, 65, 1680000, 7001000, 192, 3 << 20},
    {"small-memory", "NVIDIA GeForce MX450", 75, 2 * kGiB, 14, 12040, 84, 1575000, 5001000, 64, 512 << 10},
    {"no-device", nullptr, 0, 0, 0, 12040, 84, 0, 0, 0, 0},
};

}  // namespace

const Profile* profile_named(const std::string& name) {
  for (const Profile& profile : kProfiles) {
    if (name == profile.name) return &profile;
  }
  return nullptr;
}

std::string profile_names() {
  std::string out;
  for (const Profile& profile : kProfiles) out += (out.empty() ? "" : ", ") + std::string(profile.name);
  return out;
}

std::uint32_t shared_optin(int arch) {
  switch (arch) {
    case 70:
      return 96 << 10;
    case 75:
      return 64 << 10;
    case 80:
    case 87:
      return 163 << 10;
    case 86:
    case 89:
    case 120:
      return 99 << 10;
    default:
      return arch >= 90 ? 227 << 10 : 48 << 10;
  }
}

int threads_per_multiprocessor(int arch) { return arch == 75 ? 1024 : arch == 86 || arch == 89 || arch == 120 ? 1536 : 2048; }

int blocks_per_multiprocessor(int arch) { return arch == 75 || arch == 86 ? 16 : arch == 89 ? 24 : 32; }

}  // namespace ptxcpu
