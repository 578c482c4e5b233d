// Driver library: where a system keeps NVIDIA's driver, and how a library is opened there.
#pragma once

#include <string>
#include <vector>

#include "namesake/status.h"

namespace namesake::cuda {

/// Full paths at which this system's driver may lie, in the order in which they are tried. Only folders that belong to the system
/// (or that a container's runtime mounts); empty where there is no driver for the system.
std::vector<std::string> driver_places();

/// An open library, and the path at which it was found.
struct OpenedLibrary {
  void* handle = nullptr;
  std::string path;
};

/// The first of `places` that can be opened. gpu.no_driver where none of them exists; gpu.driver_unusable, with the system's
/// words, where one does and none can be opened.
Result<OpenedLibrary> open_library(const std::vector<std::string>& places);

/// The address of an exported function, nullptr where the library has none of this name.
void* find_function(void* handle, const char* name);

}  // namespace namesake::cuda
