// CUDA Driver API, "Memory Management": allocations.
#include "driver/state.h"
#include "execute/device_memory.h"
#include "execute/settings.h"
#include "ptx/text.h"

using namespace ptxcpu;

namespace {

constexpr unsigned kDeviceKinds = kind_bit(MemoryKind::device) | kind_bit(MemoryKind::managed);

CUresult take(std::size_t bytes, MemoryKind kind, CUdeviceptr* address) {
  return in_context([&] {
    if (!bytes || !address) return CUDA_ERROR_INVALID_VALUE;
    return result(allocate(bytes, kind, current_device(), address));
  });
}

}  // namespace

DRIVER_API cuMemGetInfo_v2(std::size_t* free, std::size_t* total) {
  return in_context([&] {
    *total = settings().profile.memory;
    *free = memory_for_program(current_device()) - memory_used(current_device());
    return CUDA_SUCCESS;
  });
}

DRIVER_API cuMemAlloc_v2(CUdeviceptr* address, std::size_t bytes) { return take(bytes, MemoryKind::device, address); }

DRIVER_API cuMemAllocManaged(CUdeviceptr* address, std::size_t bytes, unsigned) { return take(bytes, MemoryKind::managed, address); }

DRIVER_API cuMemAllocAsync(CUdeviceptr* address, std::size_t bytes, CUstream) { return take(bytes, MemoryKind::device, address); }

DRIVER_API cuMemHostAlloc(void** pointer, std::size_t bytes, unsigned) {
  CUdeviceptr address = 0;
  const CUresult done = take(bytes, MemoryKind::pinned, &address);
  if (done == CUDA_SUCCESS) *pointer = reinterpret_cast<void*>(address);
  return done;
}

DRIVER_API cuMemAllocHost_v2(void** pointer, std::size_t bytes) { return cuMemHostAlloc(pointer, bytes, 0); }

DRIVER_API cuMemFree_v2(CUdeviceptr address) {
  return in_context([&] {
    if (!address) return CUDA_SUCCESS;
    driver().queues.drain_all();
    return result(free_memory(address, kDeviceKinds, "cuMemFree"));
  });
}

DRIVER_API cuMemFreeAsync(CUdeviceptr address, CUstream stream) {
  return in_context([&] {
    if (!known_stream(stream)) return CUDA_ERROR_INVALID_HANDLE;
    return driver().queues.submit(stream, [address] { return free_memory(address, kDeviceKinds, "cuMemFreeAsync"); });
  });
}

DRIVER_API cuMemFreeHost(void* pointer) {
  return in_context([&] {
    driver().queues.drain_all();
    return result(free_memory(reinterpret_cast<std::uint64_t>(pointer), kind_bit(MemoryKind::pinned), "cuMemFreeHost"));
  });
}

DRIVER_API cuMemHostGetDevicePointer_v2(CUdeviceptr* address, void* pointer, unsigned) {
  return in_context([&] {
    Allocation found;
    *address = reinterpret_cast<CUdeviceptr>(pointer);
    return find_allocation(*address, 1, &found) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
  });
}

DRIVER_API cuMemGetAddressRange_v2(CUdeviceptr* base, std::size_t* bytes, CUdeviceptr address) {
  return in_context([&] {
    Allocation found;
    if (!find_allocation(address, 1, &found)) return CUDA_ERROR_NOT_FOUND;
    if (base) *base = found.base;
    if (bytes) *bytes = found.size;
    return CUDA_SUCCESS;
  });
}

DRIVER_API cuPointerGetAttribute(void* value, CUpointer_attribute which, CUdeviceptr address) {
  return in_context([&] {
    Allocation found;
    if (!find_allocation(address, 1, &found)) return CUDA_ERROR_INVALID_VALUE;
    switch (which) {
      case CU_POINTER_ATTRIBUTE_MEMORY_TYPE:
        *static_cast<unsigned*>(value) = found.kind == MemoryKind::pinned ? CU_MEMORYTYPE_HOST : CU_MEMORYTYPE_DEVICE;
        return CUDA_SUCCESS;
      case CU_POINTER_ATTRIBUTE_DEVICE_POINTER:
      case CU_POINTER_ATTRIBUTE_HOST_POINTER:
        *static_cast<CUdeviceptr*>(value) = address;
        return CUDA_SUCCESS;
      case CU_POINTER_ATTRIBUTE_IS_MANAGED:
        *static_cast<unsigned*>(value) = found.kind == MemoryKind::managed;
        return CUDA_SUCCESS;
      case CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL:
        *static_cast<int*>(value) = found.device;
        return CUDA_SUCCESS;
      case CU_POINTER_ATTRIBUTE_CONTEXT:
        *static_cast<CUcontext*>(value) = &driver().primaries[found.device];
        return CUDA_SUCCESS;
    }
    return refuse(text("cuPointerGetAttribute: attribute $ is not known", static_cast<int>(which)));
  });
}
