// In a file of its own, so that the addon of the tests can have another one in its place (tests/native/addon/driver_places.cpp): what is
// shipped has no way to be told of another driver.
#include "backend/cuda/driver_library.h"

#ifdef _WIN32
#include <filesystem>

#include "formats/native_path.h"
#endif

namespace namesake::cuda {

std::vector<std::string> driver_places() {
#if defined(_WIN32)
  wchar_t folder[MAX_PATH + 1];
  const UINT length = GetSystemDirectoryW(folder, MAX_PATH);
  if (length == 0 || length > MAX_PATH) return {};
  const std::u8string path = (std::filesystem::path(folder) / L"nvcuda.dll").u8string();
  return {std::string(path.begin(), path.end())};
#elif defined(__linux__)
#if defined(__aarch64__)
#define NAMESAKE_TRIPLET "aarch64-linux-gnu"
#else
#define NAMESAKE_TRIPLET "x86_64-linux-gnu"
#endif
  std::vector<std::string> places;
  for (const char* folder : {
           "/usr/lib/wsl/lib",                       // Windows' Linux subsystem: a driver of Linux does not work there
           "/usr/lib/" NAMESAKE_TRIPLET,             // Debian, Ubuntu; NVIDIA's container runtime
           "/usr/lib64",                             // Fedora, RHEL, openSUSE
           "/usr/lib",                               // Arch
           "/usr/lib/" NAMESAKE_TRIPLET "/nvidia",   // Jetson
           "/usr/lib/" NAMESAKE_TRIPLET "/tegra",
           "/run/opengl-driver/lib",                 // NixOS
           "/usr/local/nvidia/lib64",                // clusters that mount the driver into containers
           "/.singularity.d/libs",
       }) {
    places.push_back(std::string(folder) + "/libcuda.so.1");
  }
#undef NAMESAKE_TRIPLET
  return places;
#else
  return {};
#endif
}

}  // namespace namesake::cuda
