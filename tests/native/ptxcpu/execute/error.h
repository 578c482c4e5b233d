// CUresult values that execution ends with. CUDA Driver API, "Data types used by CUDA driver: CUresult".
#pragma once

namespace ptxcpu {

enum Error {
  kSuccess = 0,
  kInvalidValue = 1,
  kOutOfMemory = 2,
  kNoBinaryForGpu = 209,
  kInvalidPtx = 218,
  kUnsupportedPtxVersion = 222,
  kIllegalAddress = 700,
  kLaunchTimeout = 702,
  kAssert = 710,
  kMisalignedAddress = 716,
  kLaunchFailed = 719,
};

}  // namespace ptxcpu
