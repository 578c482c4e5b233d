// CUDA Driver API, "Primary Context Management" and "Context Management".
#include "driver/state.h"
#include "execute/settings.h"

using namespace ptxcpu;

DRIVER_API cuDevicePrimaryCtxRetain(CUcontext* context, CUdevice device) {
  return when_initialised([&] {
    if (!is_device(device)) return CUDA_ERROR_INVALID_DEVICE;
    CUctx_st& primary = driver().primaries[device];
    ++primary.references;
    primary.device = device;
    *context = &primary;
    return CUDA_SUCCESS;
  });
}

DRIVER_API cuDevicePrimaryCtxRelease_v2(CUdevice device) {
  return when_initialised([&] {
    if (!is_device(device)) return CUDA_ERROR_INVALID_DEVICE;
    if (!driver().primaries[device].references) return CUDA_ERROR_INVALID_CONTEXT;
    --driver().primaries[device].references;
    return CUDA_SUCCESS;
  });
}

/// Ends the state that a failed launch leaves behind.
DRIVER_API cuDevicePrimaryCtxReset_v2(CUdevice) {
  return when_initialised([&] {
    driver().queues.drain_all();
    driver().queues.clear_error();
    return CUDA_SUCCESS;
  });
}

DRIVER_API cuDevicePrimaryCtxSetFlags_v2(CUdevice, unsigned) {
  return when_initialised([] { return CUDA_SUCCESS; });
}

DRIVER_API cuDevicePrimaryCtxGetState(CUdevice device, unsigned* flags, int* active) {
  return when_initialised([&] {
    if (!is_device(device)) return CUDA_ERROR_INVALID_DEVICE;
    *flags = 0;
    *active = driver().primaries[device].references > 0;
    return CUDA_SUCCESS;
  });
}

DRIVER_API cuCtxCreate_v2(CUcontext* context, unsigned, CUdevice device) {
  return when_initialised([&] {
    if (!is_device(device)) return CUDA_ERROR_INVALID_DEVICE;
    driver().created.device = device;
    *context = &driver().created;
    context_stack().push_back(*context);
    return CUDA_SUCCESS;
  });
}

DRIVER_API cuCtxDestroy_v2(CUcontext context) {
  return when_initialised([&] {
    driver().queues.drain_all();
    driver().queues.clear_error();
    if (!context_stack().empty() && context_stack().back() == context) context_stack().pop_back();
    return CUDA_SUCCESS;
  });
}

DRIVER_API cuCtxSetCurrent(CUcontext context) {
  return when_initialised([&] {
    if (context_stack().empty()) context_stack().push_back(nullptr);
    context_stack().back() = context;
    return CUDA_SUCCESS;
  });
}

DRIVER_API cuCtxGetCurrent(CUcontext* context) {
  return when_initialised([&] {
    *context = context_stack().empty() ? nullptr : context_stack().back();
    return CUDA_SUCCESS;
  });
}

DRIVER_API cuCtxPushCurrent_v2(CUcontext context) {
  return when_initialised([&] {
    context_stack().push_back(context);
    return CUDA_SUCCESS;
  });
}

DRIVER_API cuCtxPopCurrent_v2(CUcontext* context) {
  return when_initialised([&] {
    if (context_stack().empty()) return CUDA_ERROR_INVALID_CONTEXT;
    if (context) *context = context_stack().back();
    context_stack().pop_back();
    return CUDA_SUCCESS;
  });
}

DRIVER_API cuCtxGetDevice(CUdevice* device) {
  return in_context([&] {
    *device = current_device();
    return CUDA_SUCCESS;
  });
}

DRIVER_API cuCtxGetApiVersion(CUcontext, unsigned* version) {
  return when_initialised([&] {
    *version = static_cast<unsigned>(settings().profile.driver_version);
    return CUDA_SUCCESS;
  });
}

DRIVER_API cuCtxSynchronize() {
  return in_context([] { return driver().queues.drain_all(); });
}

DRIVER_API cuCtxGetStreamPriorityRange(int* least, int* greatest) {
  return in_context([&] {
    if (least) *least = 0;
    if (greatest) *greatest = 0;
    return CUDA_SUCCESS;
  });
}
