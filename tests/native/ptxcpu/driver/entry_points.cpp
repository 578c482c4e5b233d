// CUDA Driver API, "Driver Entry Point Access", and the functions that a program can find but the stand-in does not have.
#include <dlfcn.h>

#include <string>

#include "driver/state.h"
#include "ptx/text.h"

using namespace ptxcpu;

DRIVER_API cuGetProcAddress_v2(const char* name, void** function, int, std::uint64_t, CUdriverProcAddressQueryResult* status) {
  static void* const self = [] {
    Dl_info info;
    dladdr(reinterpret_cast<void*>(&cuGetProcAddress_v2), &info);
    return dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD);
  }();
  *function = nullptr;
  for (const char* version : {"_v2", ""}) {
    if (!*function) *function = dlsym(self, (std::string(name) + version).c_str());
  }
  if (status) *status = *function ? CU_GET_PROC_ADDRESS_SUCCESS : CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND;
  return *function ? CUDA_SUCCESS : refuse(text("cuGetProcAddress: the stand-in has no $", name), CUDA_ERROR_NOT_FOUND);
}

DRIVER_API cuGetProcAddress(const char* name, void** function, int version, std::uint64_t flags) {
  return cuGetProcAddress_v2(name, function, version, flags, nullptr);
}

// A call of one of these says so; without them a program would only see that the symbol is missing.
#define MISSING(name) \
  DRIVER_API name() { return refuse(#name " is not in the stand-in", CUDA_ERROR_NOT_SUPPORTED); }
MISSING(cuArrayCreate_v2)
MISSING(cuArrayDestroy)
MISSING(cuCtxEnablePeerAccess)
MISSING(cuCtxGetLimit)
MISSING(cuCtxSetCacheConfig)
MISSING(cuCtxSetLimit)
MISSING(cuDeviceCanAccessPeer)
MISSING(cuDeviceGetDefaultMemPool)
MISSING(cuFuncSetCacheConfig)
MISSING(cuGetExportTable)
MISSING(cuGraphCreate)
MISSING(cuGraphInstantiateWithFlags)
MISSING(cuGraphLaunch)
MISSING(cuImportExternalMemory)
MISSING(cuIpcGetMemHandle)
MISSING(cuKernelGetFunction)
MISSING(cuLaunchCooperativeKernel)
MISSING(cuLibraryGetKernel)
MISSING(cuLibraryLoadData)
MISSING(cuLinkAddData_v2)
MISSING(cuLinkComplete)
MISSING(cuLinkCreate_v2)
MISSING(cuMemAddressReserve)
MISSING(cuMemAdvise)
MISSING(cuMemAllocPitch_v2)
MISSING(cuMemCreate)
MISSING(cuMemHostRegister_v2)
MISSING(cuMemHostUnregister)
MISSING(cuMemMap)
MISSING(cuMemPrefetchAsync)
MISSING(cuMemcpy2D_v2)
MISSING(cuMemcpy2DAsync_v2)
MISSING(cuMemcpyPeer)
MISSING(cuMemsetD2D32_v2)
MISSING(cuModuleGetSurfRef)
MISSING(cuModuleGetTexRef)
MISSING(cuOccupancyMaxPotentialBlockSize)
MISSING(cuStreamAddCallback)
MISSING(cuStreamAttachMemAsync)
MISSING(cuStreamBeginCapture_v2)
MISSING(cuStreamEndCapture)
MISSING(cuTensorMapEncodeTiled)
MISSING(cuTexObjectCreate)
#undef MISSING
