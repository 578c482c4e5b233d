// CUDA Driver API, "Initialization", "Version Management" and "Device Management".
#include <cstdio>
#include <cstring>

#include "driver/state.h"
#include "execute/settings.h"
#include "ptx/text.h"

using namespace ptxcpu;

namespace {

const Profile& profile() { return settings().profile; }

/// -1 for an attribute that the stand-in does not know.
int attribute(CUdevice_attribute which, CUdevice device) {
  const Profile& p = profile();
  const int shared = static_cast<int>(shared_optin(p.arch)), reserved = p.arch >= 80 ? 1024 : 0;
  switch (which) {
    case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK:
    case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X:
    case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y:
      return 1024;
    case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z:
      return 64;
    case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X:
      return 2147483647;
    case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y:
    case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z:
      return 65535;
    case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK:
      return 48 << 10;
    case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN:
      return shared;
    case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR:
      return shared + reserved;
    case CU_DEVICE_ATTRIBUTE_RESERVED_SHARED_MEMORY_PER_BLOCK:
      return reserved;
    case CU_DEVICE_ATTRIBUTE_TOTAL_CONSTANT_MEMORY:
    case CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_BLOCK:
    case CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR:
      return 65536;
    case CU_DEVICE_ATTRIBUTE_WARP_SIZE:
      return 32;
    case CU_DEVICE_ATTRIBUTE_CLOCK_RATE:
      return p.clock_khz;
    case CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE:
      return p.memory_clock_khz;
    case CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH:
      return p.bus_bits;
    case CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE:
      return p.l2_bytes;
    case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT:
      return p.multiprocessors;
    case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR:
      return threads_per_multiprocessor(p.arch);
    case CU_DEVICE_ATTRIBUTE_MAX_BLOCKS_PER_MULTIPROCESSOR:
      return blocks_per_multiprocessor(p.arch);
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR:
      return p.arch / 10;
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR:
      return p.arch % 10;
    case CU_DEVICE_ATTRIBUTE_TEXTURE_ALIGNMENT:
      return 512;
    case CU_DEVICE_ATTRIBUTE_ASYNC_ENGINE_COUNT:
    case CU_DEVICE_ATTRIBUTE_CONCURRENT_KERNELS:
    case CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING:
    case CU_DEVICE_ATTRIBUTE_MANAGED_MEMORY:
    case CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY:
    case CU_DEVICE_ATTRIBUTE_GPU_OVERLAP:
    case CU_DEVICE_ATTRIBUTE_CONCURRENT_MANAGED_ACCESS:
      return 1;
    case CU_DEVICE_ATTRIBUTE_PCI_BUS_ID:
      return device + 1;
    case CU_DEVICE_ATTRIBUTE_KERNEL_EXEC_TIMEOUT:
    case CU_DEVICE_ATTRIBUTE_INTEGRATED:
    case CU_DEVICE_ATTRIBUTE_COMPUTE_MODE:
    case CU_DEVICE_ATTRIBUTE_TCC_DRIVER:
    case CU_DEVICE_ATTRIBUTE_PCI_DEVICE_ID:
    case CU_DEVICE_ATTRIBUTE_PCI_DOMAIN_ID:
      return 0;
  }
  return -1;
}

CUresult on_device(CUdevice device, CUresult value) { return is_device(device) ? value : CUDA_ERROR_INVALID_DEVICE; }

}  // namespace

/// Reads the settings; CUDA_ERROR_NO_DEVICE under a profile without a device.
DRIVER_API cuInit(unsigned flags) {
  const std::lock_guard lock(driver().mutex);
  if (flags) return CUDA_ERROR_INVALID_VALUE;
  if (!driver().initialised) load_settings();
  if (!profile().device_name) return CUDA_ERROR_NO_DEVICE;
  driver().initialised = true;
  return CUDA_SUCCESS;
}

DRIVER_API cuDriverGetVersion(int* version) {
  const std::lock_guard lock(driver().mutex);
  if (!version) return CUDA_ERROR_INVALID_VALUE;
  if (!driver().initialised) load_settings();
  *version = profile().driver_version;
  return CUDA_SUCCESS;
}

DRIVER_API cuDeviceGetCount(int* count) {
  return when_initialised([&] {
    *count = settings().devices;
    return CUDA_SUCCESS;
  });
}

DRIVER_API cuDeviceGet(CUdevice* device, int ordinal) {
  return when_initialised([&] {
    *device = ordinal;
    return on_device(ordinal, CUDA_SUCCESS);
  });
}

DRIVER_API cuDeviceGetName(char* name, int size, CUdevice device) {
  return when_initialised([&] {
    std::snprintf(name, static_cast<std::size_t>(size), "%s", profile().device_name);
    return on_device(device, CUDA_SUCCESS);
  });
}

DRIVER_API cuDeviceTotalMem_v2(std::size_t* bytes, CUdevice device) {
  return when_initialised([&] {
    *bytes = profile().memory;
    return on_device(device, CUDA_SUCCESS);
  });
}

DRIVER_API cuDeviceGetUuid_v2(CUuuid* uuid, CUdevice device) {
  return when_initialised([&] {
    std::memset(uuid, 0x5a + device, sizeof *uuid);
    return on_device(device, CUDA_SUCCESS);
  });
}

DRIVER_API cuDeviceGetPCIBusId(char* id, int size, CUdevice device) {
  return when_initialised([&] {
    std::snprintf(id, static_cast<std::size_t>(size), "0000:0%d:00.0", device + 1);
    return on_device(device, CUDA_SUCCESS);
  });
}

DRIVER_API cuDeviceComputeCapability(int* major, int* minor, CUdevice device) {
  return when_initialised([&] {
    *major = profile().arch / 10;
    *minor = profile().arch % 10;
    return on_device(device, CUDA_SUCCESS);
  });
}

DRIVER_API cuDeviceGetAttribute(int* value, CUdevice_attribute which, CUdevice device) {
  return when_initialised([&] {
    *value = attribute(which, device);
    if (*value < 0) return refuse(text("cuDeviceGetAttribute: attribute $ is not known", static_cast<int>(which)));
    return on_device(device, CUDA_SUCCESS);
  });
}
