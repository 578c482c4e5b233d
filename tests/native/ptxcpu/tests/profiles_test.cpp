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
