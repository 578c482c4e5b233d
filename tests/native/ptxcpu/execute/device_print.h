// printf of kernels. CUDA C++ Programming Guide, "Formatted Output".
#pragma once
#include <string>

namespace ptxcpu {

/// `format` with its arguments, which lie one after the other, each aligned to its size (4 or 8 bytes).
std::string device_print(const char* format, const unsigned char* arguments);

}  // namespace ptxcpu
