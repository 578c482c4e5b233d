// What a module is loaded from: PTX text, or a fat binary that holds some.
#pragma once
#include <string>

#include "driver/cuda_api.h"

namespace ptxcpu {

/// The PTX of an image: the text itself, or the entry of a fat binary (nvcc -fatbin, plain, lz4 or zstd) for the highest architecture
/// that the device can run. Refuses machine code, which the stand-in cannot run.
CUresult ptx_of_image(const void* image, std::string* ptx);

}  // namespace ptxcpu
