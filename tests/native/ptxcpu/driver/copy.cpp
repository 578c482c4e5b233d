// CUDA Driver API, "Memory Management": copies and fills, and "API synchronization behavior" for which of them wait.
#include <cstring>
#include <memory>

#include "driver/state.h"
#include "execute/device_memory.h"
#include "execute/error.h"
#include "execute/report.h"
#include "execute/settings.h"
#include "ptx/text.h"

using namespace ptxcpu;

namespace {

struct End {
  std::uint64_t address;
  bool device;
};

/// Is the range inside one allocation? Reports where it is not.
bool valid(const char* caller, const char* role, std::uint64_t address, std::size_t bytes) {
  Allocation found;
  if (bytes == 0 || find_allocation(address, bytes, &found)) return true;
  const bool starts = find_allocation(address, 1, &found);
  report(text("$: $ range of $ bytes at $ is not inside a live device allocation ($)", caller, role, bytes, hex(address),
              starts ? "starts inside one but runs past its end" : describe_address(address)));
  return false;
}

bool valid_ends(const char* caller, const End& to, const End& from, std::size_t bytes) {
  return (!to.device || valid(caller, "destination", to.address, bytes)) && (!from.device || valid(caller, "source", from.address, bytes));
}

bool allocated(std::uint64_t address, std::size_t bytes) {
  Allocation found;
  return find_allocation(address, bytes, &found);
}

CUresult copy(const char* caller, End to, End from, std::size_t bytes, CUstream stream, bool async) {
  return in_context([&] {
    if (!known_stream(stream)) return CUDA_ERROR_INVALID_HANDLE;
    if (!valid_ends(caller, to, from, bytes)) return CUDA_ERROR_INVALID_VALUE;
    if (!bytes) return CUDA_SUCCESS;
    // Pageable memory is read when the call is made, pinned memory when the copy runs.
    std::shared_ptr<std::vector<char>> staged;
    if (settings().lazy && async && !from.device && !allocated(from.address, bytes)) {
      const auto* source = reinterpret_cast<const char*>(from.address);
      staged = std::make_shared<std::vector<char>>(source, source + bytes);
    }
    const CUresult done = driver().queues.submit(stream, [=]() -> int {
      if (!valid_ends(caller, to, from, bytes)) return kIllegalAddress;
      const DeviceAccess access;
      Allocation opened;
      open_allocation(to.address, bytes, &opened);
      open_allocation(from.address, bytes, &opened);
      const void* source = staged ? staged->data() : reinterpret_cast<const void*>(from.address);
      std::memmove(reinterpret_cast<void*>(to.address), source, bytes);
      return kSuccess;
    });
    if (done != CUDA_SUCCESS) return done;
    const bool to_pageable = from.device && !to.device && !allocated(to.address, bytes);
    return !async || to_pageable ? driver().queues.drain(stream) : CUDA_SUCCESS;
  });
}

template <class T>
CUresult fill(const char* caller, CUdeviceptr address, T value, std::size_t count, CUstream stream, bool async) {
  return in_context([&] {
    if (address % sizeof(T)) return refuse(text("$: misaligned pointer", caller));
    if (!known_stream(stream)) return CUDA_ERROR_INVALID_HANDLE;
    const std::size_t bytes = count * sizeof(T);
    if (!valid(caller, "destination", address, bytes)) return CUDA_ERROR_INVALID_VALUE;
    const CUresult done = driver().queues.submit(stream, [=]() -> int {
      if (!valid(caller, "destination", address, bytes)) return kIllegalAddress;
      const DeviceAccess access;
      Allocation opened;
      open_allocation(address, bytes, &opened);
      std::fill_n(reinterpret_cast<T*>(address), count, value);
      return kSuccess;
    });
    return done == CUDA_SUCCESS && !async ? driver().queues.drain(stream) : done;
  });
}

End device(CUdeviceptr address) { return {address, true}; }
End host(const void* pointer) { return {reinterpret_cast<std::uint64_t>(pointer), false}; }
End either(CUdeviceptr address) { return {address, allocated(address, 1)}; }

}  // namespace

DRIVER_API cuMemcpyHtoD_v2(CUdeviceptr to, const void* from, std::size_t bytes) {
  return copy("cuMemcpyHtoD", device(to), host(from), bytes, nullptr, false);
}
DRIVER_API cuMemcpyDtoH_v2(void* to, CUdeviceptr from, std::size_t bytes) {
  return copy("cuMemcpyDtoH", host(to), device(from), bytes, nullptr, false);
}
DRIVER_API cuMemcpyDtoD_v2(CUdeviceptr to, CUdeviceptr from, std::size_t bytes) {
  return copy("cuMemcpyDtoD", device(to), device(from), bytes, nullptr, false);
}
DRIVER_API cuMemcpy(CUdeviceptr to, CUdeviceptr from, std::size_t bytes) {
  return copy("cuMemcpy", either(to), either(from), bytes, nullptr, false);
}
DRIVER_API cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void* from, std::size_t bytes, CUstream stream) {
  return copy("cuMemcpyHtoDAsync", device(to), host(from), bytes, stream, true);
}
DRIVER_API cuMemcpyDtoHAsync_v2(void* to, CUdeviceptr from, std::size_t bytes, CUstream stream) {
  return copy("cuMemcpyDtoHAsync", host(to), device(from), bytes, stream, true);
}
DRIVER_API cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, std::size_t bytes, CUstream stream) {
  return copy("cuMemcpyDtoDAsync", device(to), device(from), bytes, stream, true);
}
DRIVER_API cuMemcpyAsync(CUdeviceptr to, CUdeviceptr from, std::size_t bytes, CUstream stream) {
  return copy("cuMemcpyAsync", either(to), either(from), bytes, stream, true);
}

DRIVER_API cuMemsetD8_v2(CUdeviceptr to, unsigned char value, std::size_t count) {
  return fill<std::uint8_t>("cuMemsetD8", to, value, count, nullptr, false);
}
DRIVER_API cuMemsetD16_v2(CUdeviceptr to, unsigned short value, std::size_t count) {
  return fill<std::uint16_t>("cuMemsetD16", to, value, count, nullptr, false);
}
DRIVER_API cuMemsetD32_v2(CUdeviceptr to, unsigned value, std::size_t count) {
  return fill<std::uint32_t>("cuMemsetD32", to, value, count, nullptr, false);
}
DRIVER_API cuMemsetD8Async(CUdeviceptr to, unsigned char value, std::size_t count, CUstream stream) {
  return fill<std::uint8_t>("cuMemsetD8Async", to, value, count, stream, true);
}
DRIVER_API cuMemsetD16Async(CUdeviceptr to, unsigned short value, std::size_t count, CUstream stream) {
  return fill<std::uint16_t>("cuMemsetD16Async", to, value, count, stream, true);
}
DRIVER_API cuMemsetD32Async(CUdeviceptr to, unsigned value, std::size_t count, CUstream stream) {
  return fill<std::uint32_t>("cuMemsetD32Async", to, value, count, stream, true);
}
