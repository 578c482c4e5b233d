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
