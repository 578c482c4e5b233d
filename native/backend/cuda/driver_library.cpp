#include "backend/cuda/driver_library.h"

#include <filesystem>
#include <system_error>

#include "formats/native_path.h"

#ifndef _WIN32
#include <dlfcn.h>
#endif

namespace namesake::cuda {
namespace {

#ifdef _WIN32

void* open_one(const std::string& path, std::string& error) {
  // What the driver itself needs is looked for in System32 too, and nowhere else.
  HMODULE handle = LoadLibraryExW(native_path(path).make_preferred().c_str(), nullptr, LOAD_LIBRARY_SEARCH_SYSTEM32);
  if (handle == nullptr) error = path + ": Windows error " + std::to_string(GetLastError());
  return reinterpret_cast<void*>(handle);
}

#else

void* open_one(const std::string& path, std::string& error) {
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* words = dlerror();
    error = words != nullptr ? words : path;
  }
  return handle;
}

#endif

}  // namespace

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

Result<OpenedLibrary> open_library(const std::vector<std::string>& places) {
  if (places.empty()) return Status::error(Code::gpu_no_driver, "NVIDIA has no driver for this system");
  std::string refused;
  for (const std::string& path : places) {
    std::error_code ignored;
    if (!std::filesystem::exists(native_path(path), ignored)) continue;
    std::string error;
    if (void* handle = open_one(path, error)) return OpenedLibrary{handle, path};
    refused += (refused.empty() ? "" : "; ") + error;
  }
  if (!refused.empty()) return Status::error(Code::gpu_driver_unusable, refused);
  const std::string name = places.front().substr(places.front().find_last_of("/\\") + 1);
  return Status::error(Code::gpu_no_driver, "there is no " + name + " in the system's folders");
}

void* find_function(void* handle, const char* name) {
#ifdef _WIN32
  return reinterpret_cast<void*>(GetProcAddress(reinterpret_cast<HMODULE>(handle), name));
#else
  return dlsym(handle, name);
#endif
}

}  // namespace namesake::cuda
