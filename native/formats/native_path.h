// A UTF-8 path as the system's own.
#pragma once

#include <filesystem>
#include <string>

#ifdef _WIN32
#include "formats/windows_file.h"
#endif

namespace namesake {

inline std::filesystem::path native_path(const std::string& utf8) {
#ifdef _WIN32
  return std::filesystem::path(windows::wide(utf8));
#else
  return std::filesystem::path(utf8);
#endif
}

}  // namespace namesake
