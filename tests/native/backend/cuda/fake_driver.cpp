// A driver library for the loader's tests: it answers what a machine of some kind would, and counts what is left open. It runs
// no kernel, though machine "takes launches" says that it does, and its cards' memory is the machine's. Built three times, with FAKE_DRIVER_LACKS 1 without cuEventRecord, with 2 without cuInit.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <set>
#include <string>
#include <vector>

#include "backend/cuda/cuda_api.h"

using namespace namesake::cuda;

#ifndef FAKE_DRIVER_LACKS
#define FAKE_DRIVER_LACKS 0
#endif
#define API extern "C" __attribute__((visibility("default")))

namespace namesake::cuda {
struct CUctx_st {
  int device;
};
struct CUmod_st {};
struct CUfunc_st {};
struct CUstream_st {};
struct CUevent_st {
  int after;  // launches before it
};
}  // namespace namesake::cuda

namespace {

constexpr std::size_t kMegabyte = 1 << 20;

struct Card {
  const char* name;
  int major, minor;
  std::size_t total, free;
};

const Card kTuring{"Fake RTX 2060", 7, 5, 6144 * kMegabyte, 5500 * kMegabyte};
const Card kAmpere{"Fake RTX 3060", 8, 6, 12288 * kMegabyte, 9000 * kMegabyte};
const Card kPascal{"Fake GTX 1080", 6, 1, 8192 * kMegabyte, 8000 * kMegabyte};
const Card kRoomy{"Fake T4", 7, 5, 262144 * kMegabyte, 250000 * kMegabyte};
const Card kFull{"Fake RTX 3050", 8, 6, 4096 * kMegabyte, 300 * kMegabyte};

std::string profile;
bool initialised = false;
std::vector<CUctx_st> contexts(8);
std::set<const void*> open_things;
thread_local CUcontext current = nullptr;
int launched = 0, done = 0;

std::vector<Card> cards() {
  if (profile == "two cards") return {kTuring, kAmpere};
  if (profile == "old and new card") return {kPascal, kTuring};
  if (profile == "old card") return {kPascal};
  if (profile == "takes launches") return {kRoomy};
  if (profile == "little memory") return {kPascal, kFull};
  return {kAmpere};
}

CUresult result(int value) { return static_cast<CUresult>(value); }

/// CUDA_ERROR_INVALID_CONTEXT in a thread that has no context.
#define NEEDS_CONTEXT \
  if (current == nullptr) return CUDA_ERROR_INVALID_CONTEXT

template <class Thing>
CUresult make(Thing** out, Thing* thing) {
  open_things.insert(*out = thing);
  return CUDA_SUCCESS;
}

template <class Thing>
CUresult destroy(Thing* thing) {
  NEEDS_CONTEXT;
  if (open_things.erase(thing) == 0) return CUDA_ERROR_INVALID_VALUE;
  delete thing;
  return CUDA_SUCCESS;
}

/// Zeros that take no memory of the machine until they are written.
CUresult make_bytes(char** out, std::size_t bytes) {
  NEEDS_CONTEXT;
  char* const memory = static_cast<char*>(std::calloc(bytes, 1));
  return memory != nullptr ? make(out, memory) : CUDA_ERROR_OUT_OF_MEMORY;
}

CUresult free_bytes(char* memory) {
  NEEDS_CONTEXT;
  if (open_things.erase(memory) == 0) return CUDA_ERROR_INVALID_VALUE;
  std::free(memory);
  return CUDA_SUCCESS;
}

/// Where no kernel runs nobody reads what is large: weights and activations.
bool passed_over(std::size_t bytes) { return profile == "takes launches" && bytes >= kMegabyte; }

}  // namespace

// What the tests set and read.
API void fake_driver_profile(const char* name) {
  profile = name;
  initialised = false;
  launched = done = 0;
}
/// Launches that nobody has waited for.
API int fake_driver_ahead() { return launched - done; }
API int fake_driver_open_things() { return static_cast<int>(open_things.size()); }

#if FAKE_DRIVER_LACKS != 2
API CUresult cuInit(unsigned) {
  if (profile == "no card") return CUDA_ERROR_NO_DEVICE;
  if (profile == "half updated") return CUDA_ERROR_SYSTEM_DRIVER_MISMATCH;
  initialised = true;
  return CUDA_SUCCESS;
}
#endif
API CUresult cuDriverGetVersion(int* version) {
  *version = profile == "old driver" ? 10020 : 12080;
  return CUDA_SUCCESS;
}
API CUresult cuGetErrorName(CUresult error, const char** name) {
  switch (error) {
    case CUDA_ERROR_OUT_OF_MEMORY: *name = "CUDA_ERROR_OUT_OF_MEMORY"; return CUDA_SUCCESS;
    case CUDA_ERROR_SYSTEM_DRIVER_MISMATCH: *name = "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"; return CUDA_SUCCESS;
    case CUDA_ERROR_INVALID_PTX: *name = "CUDA_ERROR_INVALID_PTX"; return CUDA_SUCCESS;
    default: return CUDA_ERROR_INVALID_VALUE;
  }
}
API CUresult cuGetErrorString(CUresult, const char** text) {
  *text = "in words";
  return CUDA_SUCCESS;
}
API CUresult cuDeviceGetCount(int* count) {
  if (!initialised) return CUDA_ERROR_NOT_INITIALIZED;
  if (profile == "no list") return CUDA_ERROR_UNKNOWN;
  *count = static_cast<int>(cards().size());
  return CUDA_SUCCESS;
}
API CUresult cuDeviceGet(CUdevice* device, int ordinal) {
  if (ordinal < 0 || ordinal >= static_cast<int>(cards().size())) return CUDA_ERROR_INVALID_DEVICE;
  *device = ordinal;
  return CUDA_SUCCESS;
}
API CUresult cuDeviceGetName(char* name, int size, CUdevice device) {
  std::snprintf(name, static_cast<std::size_t>(size), "%s", cards().at(static_cast<std::size_t>(device)).name);
  return CUDA_SUCCESS;
}
API CUresult cuDeviceTotalMem_v2(std::size_t* bytes, CUdevice device) {
  *bytes = cards().at(static_cast<std::size_t>(device)).total;
  return CUDA_SUCCESS;
}
API CUresult cuDeviceGetAttribute(int* value, CUdevice_attribute attribute, CUdevice device) {
  const Card card = cards().at(static_cast<std::size_t>(device));
  switch (attribute) {
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR: *value = card.major; return CUDA_SUCCESS;
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR: *value = card.minor; return CUDA_SUCCESS;
    case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT: *value = 28; return CUDA_SUCCESS;
    case CU_DEVICE_ATTRIBUTE_CLOCK_RATE: *value = 1777000; return CUDA_SUCCESS;
    case CU_DEVICE_ATTRIBUTE_INTEGRATED: *value = profile == "integrated" ? 1 : 0; return CUDA_SUCCESS;
    case CU_DEVICE_ATTRIBUTE_TCC_DRIVER: *value = profile == "compute model" ? 1 : 0; return CUDA_SUCCESS;
  }
  return CUDA_ERROR_INVALID_VALUE;
}
API CUresult cuDevicePrimaryCtxRetain(CUcontext* context, CUdevice device) {
  if (profile == "no place") return CUDA_ERROR_OUT_OF_MEMORY;
  CUctx_st& own = contexts.at(static_cast<std::size_t>(device));
  own.device = device;
  return make(context, &own);
}
API CUresult cuDevicePrimaryCtxRelease_v2(CUdevice device) {
  return open_things.erase(&contexts.at(static_cast<std::size_t>(device))) == 1 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_CONTEXT;
}
API CUresult cuCtxSetCurrent(CUcontext context) {
  current = context;
  return CUDA_SUCCESS;
}
API CUresult cuMemGetInfo_v2(std::size_t* free, std::size_t* total) {
  NEEDS_CONTEXT;
  const Card card = cards().at(static_cast<std::size_t>(current->device));
  *free = card.free;
  *total = card.total;
  return CUDA_SUCCESS;
}
API CUresult cuMemAlloc_v2(CUdeviceptr* address, std::size_t bytes) {
  char* memory = nullptr;
  const CUresult made = make_bytes(&memory, bytes);
  *address = reinterpret_cast<CUdeviceptr>(memory);
  return made;
}
API CUresult cuMemFree_v2(CUdeviceptr address) { return free_bytes(reinterpret_cast<char*>(address)); }
API CUresult cuMemHostAlloc(void** pointer, std::size_t bytes, unsigned) {
  char* memory = nullptr;
  const CUresult made = make_bytes(&memory, bytes);
  *pointer = memory;
  return made;
}
API CUresult cuMemFreeHost(void* pointer) { return free_bytes(static_cast<char*>(pointer)); }
API CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void* from, std::size_t bytes, CUstream) {
  NEEDS_CONTEXT;
  if (!passed_over(bytes)) std::memcpy(reinterpret_cast<void*>(to), from, bytes);
  return CUDA_SUCCESS;
}
API CUresult cuMemcpyDtoHAsync_v2(void* to, CUdeviceptr from, std::size_t bytes, CUstream) {
  NEEDS_CONTEXT;
  std::memcpy(to, reinterpret_cast<const void*>(from), bytes);
  return CUDA_SUCCESS;
}
API CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, std::size_t bytes, CUstream) {
  NEEDS_CONTEXT;
  if (!passed_over(bytes)) std::memmove(reinterpret_cast<void*>(to), reinterpret_cast<const void*>(from), bytes);
  return CUDA_SUCCESS;
}
API CUresult cuMemsetD8Async(CUdeviceptr to, unsigned char value, std::size_t count, CUstream) {
  NEEDS_CONTEXT;
  if (!passed_over(count)) std::memset(reinterpret_cast<void*>(to), value, count);
  return CUDA_SUCCESS;
}
API CUresult cuStreamCreate(CUstream* stream, unsigned flags) {
  NEEDS_CONTEXT;
  if (flags != 1) return CUDA_ERROR_INVALID_VALUE;
  if (profile == "no stream") return CUDA_ERROR_OUT_OF_MEMORY;
  return make(stream, new CUstream_st);
}
API CUresult cuStreamDestroy_v2(CUstream stream) { return destroy(stream); }
API CUresult cuStreamSynchronize(CUstream) {
  NEEDS_CONTEXT;
  return profile == "broken kernel" ? result(700) : CUDA_SUCCESS;
}
API CUresult cuEventCreate(CUevent* event, unsigned flags) {
  NEEDS_CONTEXT;
  if (flags != 3) return CUDA_ERROR_INVALID_VALUE;  // who waits sleeps, and nobody asks for a time
  return make(event, new CUevent_st{});
}
API CUresult cuEventDestroy_v2(CUevent event) { return destroy(event); }
#if FAKE_DRIVER_LACKS != 1
API CUresult cuEventRecord(CUevent event, CUstream stream) {
  NEEDS_CONTEXT;
  event->after = launched;
  return open_things.count(stream) == 0 ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
}
#endif
API CUresult cuEventSynchronize(CUevent event) {
  if (event->after > done) done = event->after;
  return profile == "broken kernel" ? result(700) : CUDA_SUCCESS;
}
API CUresult cuModuleLoadDataEx(CUmodule* module, const void* image, unsigned count, CUjit_option* options, void** values) {
  NEEDS_CONTEXT;
  const std::string ptx(static_cast<const char*>(image));
  for (unsigned i = 0; i + 1 < count; i += 2) {
    char* buffer = static_cast<char*>(values[i]);
    const std::size_t size = reinterpret_cast<std::size_t>(values[i + 1]);
    // A log as long as its buffer, which nothing ends.
    if (options[i] == CU_JIT_ERROR_LOG_BUFFER && ptx == "much wrong") std::memset(buffer, 'x', size);
    if (options[i] == CU_JIT_ERROR_LOG_BUFFER && ptx == "wrong") std::snprintf(buffer, size, "line 3: error\nfatal\n");
  }
  if (ptx == "wrong" || ptx == "much wrong") return CUDA_ERROR_INVALID_PTX;
  if (ptx == "too new") return CUDA_ERROR_UNSUPPORTED_PTX_VERSION;
  return make(module, new CUmod_st);
}
API CUresult cuModuleUnload(CUmodule module) { return destroy(module); }
API CUresult cuModuleGetFunction(CUfunction* function, CUmodule, const char* name) {
  static CUfunc_st kernel;
  if (profile != "takes launches" && std::strcmp(name, "kernel") != 0) return CUDA_ERROR_NOT_FOUND;
  *function = &kernel;
  return CUDA_SUCCESS;
}
API CUresult cuLaunchKernel(CUfunction, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, CUstream, void**, void**) {
  if (profile != "takes launches") return CUDA_ERROR_NOT_FOUND;
  ++launched;
  return CUDA_SUCCESS;
}
