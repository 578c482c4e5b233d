// The part of NVIDIA's driver API that this engine calls, declared here so that nothing of a toolkit is needed to build it.
//
// Names, numbers and signatures are the public interface's own (the CUDA Driver API reference); the functions are looked up at
// run time (driver.h). 64-bit systems only: there the calling convention is the system's one.
#pragma once

#include <cstddef>

namespace namesake::cuda {

using CUdevice = int;                      ///< a card's number, as the driver counts them
using CUdeviceptr = unsigned long long;    ///< an address in a card's memory
using CUcontext = struct CUctx_st*;        // opaque from here on
using CUmodule = struct CUmod_st*;
using CUfunction = struct CUfunc_st*;
using CUstream = struct CUstream_st*;
using CUevent = struct CUevent_st*;

/// What a call returns. Only the values that this engine tells apart; a driver may return others.
enum CUresult : int {
  CUDA_SUCCESS = 0,
  CUDA_ERROR_INVALID_VALUE = 1,
  CUDA_ERROR_OUT_OF_MEMORY = 2,
  CUDA_ERROR_NOT_INITIALIZED = 3,
  CUDA_ERROR_NO_DEVICE = 100,
  CUDA_ERROR_INVALID_DEVICE = 101,
  CUDA_ERROR_INVALID_CONTEXT = 201,
  CUDA_ERROR_INVALID_PTX = 218,
  CUDA_ERROR_JIT_COMPILER_NOT_FOUND = 221,
  CUDA_ERROR_UNSUPPORTED_PTX_VERSION = 222,
  CUDA_ERROR_NOT_FOUND = 500,
  CUDA_ERROR_SYSTEM_DRIVER_MISMATCH = 803,
  CUDA_ERROR_UNKNOWN = 999,
};

enum CUdevice_attribute : int {
  CU_DEVICE_ATTRIBUTE_CLOCK_RATE = 13,  ///< its highest, in kHz
  CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT = 16,
  CU_DEVICE_ATTRIBUTE_INTEGRATED = 18,  ///< 1: the card's memory is the machine's own
  CU_DEVICE_ATTRIBUTE_TCC_DRIVER = 35,  ///< 1: a Windows card that no screen uses, under NVIDIA's compute driver model
  CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR = 75,
  CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR = 76,
};

/// Options of compiling PTX. A value goes through a void*: a number as the pointer itself, a buffer as its address.
enum CUjit_option : int {
  CU_JIT_ERROR_LOG_BUFFER = 5,
  CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES = 6,  ///< in: the buffer's size; out: the bytes that were written
};

constexpr unsigned CU_STREAM_NON_BLOCKING = 1;  ///< no implicit order with the default stream
constexpr unsigned CU_EVENT_BLOCKING_SYNC = 1;  ///< who waits for it sleeps instead of spinning
constexpr unsigned CU_EVENT_DISABLE_TIMING = 2;

// One line a function: (member of Functions, exported name, parameters). The exported name has the version of the interface
// in it (_v2 and on), so that a newer driver still gives the function with these parameters. The first two are all that is called
// before the driver's version is known; all others are in every driver from CUDA 11.0 on.
#define NAMESAKE_CUDA_FIRST_FUNCTIONS(X)                     \
  X(cuInit, "cuInit", (unsigned flags))                      \
  X(cuDriverGetVersion, "cuDriverGetVersion", (int* version))

#define NAMESAKE_CUDA_FUNCTIONS(X)                                                                                        \
  X(cuGetErrorName, "cuGetErrorName", (CUresult result, const char** name))                                               \
  X(cuGetErrorString, "cuGetErrorString", (CUresult result, const char** text))                                           \
  X(cuDeviceGetCount, "cuDeviceGetCount", (int* count))                                                                   \
  X(cuDeviceGet, "cuDeviceGet", (CUdevice * device, int ordinal))                                                         \
  X(cuDeviceGetName, "cuDeviceGetName", (char* name, int size, CUdevice device))                                          \
  X(cuDeviceTotalMem, "cuDeviceTotalMem_v2", (std::size_t * bytes, CUdevice device))                                      \
  X(cuDeviceGetAttribute, "cuDeviceGetAttribute", (int* value, CUdevice_attribute attribute, CUdevice device))            \
  X(cuDevicePrimaryCtxRetain, "cuDevicePrimaryCtxRetain", (CUcontext * context, CUdevice device))                         \
  X(cuDevicePrimaryCtxRelease, "cuDevicePrimaryCtxRelease_v2", (CUdevice device))                                         \
  X(cuCtxSetCurrent, "cuCtxSetCurrent", (CUcontext context))                                                              \
  X(cuMemGetInfo, "cuMemGetInfo_v2", (std::size_t * free, std::size_t * total))                                           \
  X(cuMemAlloc, "cuMemAlloc_v2", (CUdeviceptr * address, std::size_t bytes))                                              \
  X(cuMemFree, "cuMemFree_v2", (CUdeviceptr address))                                                                     \
  X(cuMemHostAlloc, "cuMemHostAlloc", (void** pointer, std::size_t bytes, unsigned flags))                                \
  X(cuMemFreeHost, "cuMemFreeHost", (void* pointer))                                                                      \
  X(cuMemcpyHtoDAsync, "cuMemcpyHtoDAsync_v2", (CUdeviceptr to, const void* from, std::size_t bytes, CUstream stream))    \
  X(cuMemcpyDtoHAsync, "cuMemcpyDtoHAsync_v2", (void* to, CUdeviceptr from, std::size_t bytes, CUstream stream))          \
  X(cuMemcpyDtoDAsync, "cuMemcpyDtoDAsync_v2", (CUdeviceptr to, CUdeviceptr from, std::size_t bytes, CUstream stream))    \
  X(cuMemsetD8Async, "cuMemsetD8Async", (CUdeviceptr to, unsigned char value, std::size_t count, CUstream stream))        \
  X(cuStreamCreate, "cuStreamCreate", (CUstream * stream, unsigned flags))                                                \
  X(cuStreamDestroy, "cuStreamDestroy_v2", (CUstream stream))                                                             \
  X(cuStreamSynchronize, "cuStreamSynchronize", (CUstream stream))                                                        \
  X(cuEventCreate, "cuEventCreate", (CUevent * event, unsigned flags))                                                    \
  X(cuEventDestroy, "cuEventDestroy_v2", (CUevent event))                                                                 \
  X(cuEventRecord, "cuEventRecord", (CUevent event, CUstream stream))                                                     \
  X(cuEventSynchronize, "cuEventSynchronize", (CUevent event))                                                            \
  X(cuModuleLoadDataEx, "cuModuleLoadDataEx",                                                                             \
    (CUmodule * module, const void* image, unsigned count, CUjit_option* options, void** values))                         \
  X(cuModuleUnload, "cuModuleUnload", (CUmodule module))                                                                  \
  X(cuModuleGetFunction, "cuModuleGetFunction", (CUfunction * function, CUmodule module, const char* name))               \
  X(cuLaunchKernel, "cuLaunchKernel",                                                                                     \
    (CUfunction function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x, unsigned block_y,          \
     unsigned block_z, unsigned shared_bytes, CUstream stream, void** parameters, void** extra))

/// Every function, by its name without a version.
struct Functions {
#define NAMESAKE_CUDA_MEMBER(member, exported, parameters) CUresult(*member) parameters = nullptr;
  NAMESAKE_CUDA_FIRST_FUNCTIONS(NAMESAKE_CUDA_MEMBER)
  NAMESAKE_CUDA_FUNCTIONS(NAMESAKE_CUDA_MEMBER)
#undef NAMESAKE_CUDA_MEMBER
};

}  // namespace namesake::cuda
