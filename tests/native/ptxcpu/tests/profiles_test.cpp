// The devices and failures that PTXCPU_… variables ask for, as a program sees them.
#include "tests/device.h"

namespace ptxcpu_tests {
namespace {

struct Seen {
  std::string name;
  int major = 0, minor = 0, driver = 0;
  std::size_t memory = 0;
};

Seen look() {
  const Device& device = Device::get();
  Seen seen;
  char name[64] = "";
  CHECK(device.call("cuDeviceGetName", static_cast<char*>(name), 64, CUdevice{0}) == CUDA_SUCCESS);
  CHECK(device.call("cuDeviceGetAttribute", &seen.major, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, CUdevice{0}) == CUDA_SUCCESS);
  CHECK(device.call("cuDeviceGetAttribute", &seen.minor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, CUdevice{0}) == CUDA_SUCCESS);
  CHECK(device.call("cuDeviceTotalMem_v2", &seen.memory, CUdevice{0}) == CUDA_SUCCESS);
  CHECK(device.call("cuDriverGetVersion", &seen.driver) == CUDA_SUCCESS);
  seen.name = name;
  return seen;
}

/// A kernel without an instruction, of this version and target.
CUresult load(const std::string& version, const std::string& target) {
  const std::string ptx = ".version " + version + "\n.target " + target + "\n.address_size 64\n.visible .entry k()\n{\nret;\n}\n";
  CUmodule module = nullptr;
  const CUresult loaded = Device::get().call("cuModuleLoadData", &module, static_cast<const void*>(ptx.c_str()));
  if (loaded == CUDA_SUCCESS) Device::get().call("cuModuleUnload", module);
  return loaded;
}

}  // namespace

TEST_CASE("profiles are the devices that they name") {
  struct Case {
    const char* profile;
    int cc;
    std::size_t gib;
  };
  for (const Case& c : {Case{"turing-6gb", 75, 6}, {"ampere-12gb", 86, 12}, {"hopper", 90, 80}, {"pascal-8gb", 61, 8}}) {
    CAPTURE(c.profile);
    const Setting profile("PTXCPU_PROFILE", c.profile);
    const Seen seen = look();
    CHECK(seen.name.starts_with("NVIDIA"));
    CHECK(seen.major * 10 + seen.minor == c.cc);
    CHECK(seen.memory == c.gib << 30);
  }
}

TEST_CASE("a device refuses PTX of a newer architecture") {
  const Setting quiet("PTXCPU_QUIET", "1"), profile("PTXCPU_PROFILE", "turing-6gb");
  CHECK(load("7.0", "sm_75") == CUDA_SUCCESS);
  CHECK(load("7.0", "sm_80") == CUDA_ERROR_NO_BINARY_FOR_GPU);
}

TEST_CASE("an old driver refuses newer PTX and says which it has") {
  const Setting quiet("PTXCPU_QUIET", "1"), profile("PTXCPU_PROFILE", "old-driver");
  CHECK(look().driver == 11000);
  CHECK(load("7.0", "sm_80") == CUDA_SUCCESS);
  CHECK(load("7.1", "sm_80") == CUDA_ERROR_UNSUPPORTED_PTX_VERSION);
  CHECK(Device::get().message() == "Unsupported .version 7.1; current version is '7.0'");
}

TEST_CASE("a machine without a device has a driver and nothing else") {
  Device::get();
  const Setting profile("PTXCPU_PROFILE", "no-device");
  int version = 0;
  CHECK(Device::get().call("cuDriverGetVersion", &version) == CUDA_SUCCESS);
  CHECK(Device::get().call("cuInit", 0u) == CUDA_ERROR_NO_DEVICE);
}

TEST_CASE("memory ends where the profile's does, and at the allocation that is asked to fail") {
  const Device& device = Device::get();
  CUdeviceptr address = 0;
  {
    const Setting memory("PTXCPU_MEM_MB", "1");
    std::size_t free = 0, total = 0;
    CHECK(device.call("cuMemGetInfo_v2", &free, &total) == CUDA_SUCCESS);
    CHECK(total == 1 << 20);
    CHECK(device.call("cuMemAlloc_v2", &address, free + 1) == CUDA_ERROR_OUT_OF_MEMORY);
    CHECK(device.call("cuMemAlloc_v2", &address, free) == CUDA_SUCCESS);
    CHECK(device.call("cuMemFree_v2", address) == CUDA_SUCCESS);
  }
  const Setting third("PTXCPU_FAIL_ALLOC", "3");
  std::vector<CUresult> results;
  for (int i = 0; i < 4; ++i) {
    results.push_back(device.call("cuMemAlloc_v2", &address, std::size_t{16}));
    if (results.back() == CUDA_SUCCESS) device.call("cuMemFree_v2", address);
  }
  CHECK(results == std::vector<CUresult>{CUDA_SUCCESS, CUDA_SUCCESS, CUDA_ERROR_OUT_OF_MEMORY, CUDA_SUCCESS});
}

TEST_CASE("several devices: each has its own context, memory and modules; the last one's memory is all free") {
  const Device& device = Device::get();
  const Setting quiet("PTXCPU_QUIET", "1"), two("PTXCPU_DEVICES", "2"), memory("PTXCPU_MEM_MB", "2");
  constexpr std::size_t kMegabyte = 1 << 20;
  int count = 0;
  CHECK(device.call("cuDeviceGetCount", &count) == CUDA_SUCCESS);
  CHECK(count == 2);
  CUdevice none = 0;
  CHECK(device.call("cuDeviceGet", &none, 2) == CUDA_ERROR_INVALID_DEVICE);
  CUcontext contexts[2] = {};
  for (CUdevice i : {0, 1}) CHECK(device.call("cuDevicePrimaryCtxRetain", &contexts[i], i) == CUDA_SUCCESS);
  CHECK(device.call("cuDevicePrimaryCtxRetain", &contexts[0], CUdevice{2}) == CUDA_ERROR_INVALID_DEVICE);
  const auto enter = [&](int i) {
    CUdevice now = -1;
    CHECK(device.call("cuCtxSetCurrent", contexts[i]) == CUDA_SUCCESS);
    CHECK(device.call("cuCtxGetDevice", &now) == CUDA_SUCCESS);
    CHECK(now == i);
  };
  const auto free_memory = [&] {
    std::size_t free = 0, total = 0;
    CHECK(device.call("cuMemGetInfo_v2", &free, &total) == CUDA_SUCCESS);
    CHECK(total == 2 * kMegabyte);
    return free;
  };
  enter(1);
  CHECK(free_memory() == 2 * kMegabyte);
  enter(0);
  // Cases that end in a fault leave something there.
  const std::size_t left = free_memory();
  CHECK(left <= kMegabyte);
  CHECK(left > kMegabyte / 2);
  CUdeviceptr address = 0, more = 0;
  CHECK(device.call("cuMemAlloc_v2", &address, left + 1) == CUDA_ERROR_OUT_OF_MEMORY);
  CHECK(device.call("cuMemAlloc_v2", &address, left) == CUDA_SUCCESS);
  CHECK(device.call("cuMemAlloc_v2", &more, std::size_t{1}) == CUDA_ERROR_OUT_OF_MEMORY);
  CUstream stream = nullptr;
  CHECK(device.call("cuStreamCreate", &stream, 0u) == CUDA_SUCCESS);
  enter(1);
  CHECK(free_memory() == 2 * kMegabyte);
  int owner = -1;
  CHECK(device.call("cuPointerGetAttribute", static_cast<void*>(&owner), CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL, address) == CUDA_SUCCESS);
  CHECK(owner == 0);
  {
    const Module m("compute_80.ptx");
    const Buffer<float> x(32);
    CHECK(m.run("vecadd", 1, 32, 0, x.at(), x.at(), x.at(), 32) == CUDA_SUCCESS);
    const CUfunction f = m.function("vecadd");
    void **params = nullptr, **extra = nullptr;
    CHECK(device.call("cuLaunchKernel", f, 1u, 1u, 1u, 32u, 1u, 1u, 0u, stream, params, extra) == CUDA_ERROR_INVALID_HANDLE);
    enter(0);
    CHECK(m.run("vecadd", 1, 32, 0, x.at(), x.at(), x.at(), 32) == CUDA_ERROR_INVALID_HANDLE);
    CHECK(device.message().find("another device") != std::string::npos);
    enter(1);
    CHECK(m.run("vecadd", 1, 32, 0, address, x.at(), x.at(), 32) == CUDA_ERROR_ILLEGAL_ADDRESS);
    CHECK(device.message().find("memory of device 0") != std::string::npos);
    device.reset();
  }
  enter(0);
  CHECK(device.call("cuStreamDestroy_v2", stream) == CUDA_SUCCESS);
  CHECK(device.call("cuMemFree_v2", address) == CUDA_SUCCESS);
  for (CUdevice i : {1, 0}) CHECK(device.call("cuDevicePrimaryCtxRelease_v2", i) == CUDA_SUCCESS);
}

TEST_CASE("the launch that is asked to fail loses the device") {
  const Module m("compute_80.ptx");
  const Buffer<float> x(32);
  const Setting quiet("PTXCPU_QUIET", "1");
  for (const auto& [value, code] : {std::pair{"2", CUDA_ERROR_LAUNCH_FAILED}, {"2:702", CUDA_ERROR_LAUNCH_TIMEOUT}}) {
    const Setting second("PTXCPU_FAIL_LAUNCH", value);
    CHECK(m.run("vecadd", 1, 32, 0, x.at(), x.at(), x.at(), 32) == CUDA_SUCCESS);
    CHECK(m.run("vecadd", 1, 32, 0, x.at(), x.at(), x.at(), 32) == code);
    CHECK(Device::get().call("cuCtxSynchronize") == code);
  }
}

TEST_CASE("shared memory beyond 48 KiB needs the attribute, and the device's room") {
  const Setting quiet("PTXCPU_QUIET", "1"), profile("PTXCPU_PROFILE", "turing-6gb");
  const Device& device = Device::get();
  const Module m("compute_75.ptx");
  const CUfunction f = m.function("softmax_row");
  const Buffer<float> x(64);
  CHECK(device.call("cuFuncSetAttribute", f, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 65536) == CUDA_ERROR_INVALID_VALUE);
  CHECK(device.call("cuFuncSetAttribute", f, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 60000) == CUDA_SUCCESS);
  CHECK(m.run("softmax_row", 1, 64, 60000, x.at(), x.at(), 64) == CUDA_SUCCESS);
  CHECK(m.run("softmax_row", 1, 64, 60004, x.at(), x.at(), 64) == CUDA_ERROR_INVALID_VALUE);
}

}  // namespace ptxcpu_tests
