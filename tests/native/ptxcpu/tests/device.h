// A program's view of the driver: the library opened at run time, as the engine opens it.
#pragma once
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "doctest/doctest.h"
#include "driver/cuda_api.h"
#include "driver/test_hooks.h"

namespace ptxcpu_tests {

/// The stand-in, with the primary context current.
class Device {
 public:
  static Device& get();
  /// A function of the library as the type of `Fn`; the process ends where there is none.
  template <class Fn>
  Fn* symbol(const char* name) const {
    return reinterpret_cast<Fn*>(find(name));
  }
  template <class... Args>
  CUresult call(const char* name, Args... args) const {
    return symbol<CUresult(Args...)>(name)(args...);
  }
  void reset() const { symbol<void()>("ptxcpuReset")(); }
  std::string message() const { return symbol<const char*()>("ptxcpuLastMessage")(); }
  void* find(const char* name) const;

 private:
  Device();
  void* library_;
};

/// PTXCPU_… variables for a scope, and a reset at both of its ends.
class Setting {
 public:
  Setting(const char* name, const std::string& value) : name_(name) {
    setenv(name, value.c_str(), 1);
    Device::get().reset();
  }
  ~Setting() {
    unsetenv(name_);
    Device::get().reset();
  }
  Setting(const Setting&) = delete;
  Setting& operator=(const Setting&) = delete;

 private:
  const char* name_;
};

/// Device memory for `n` values.
template <class T>
class Buffer {
 public:
  explicit Buffer(std::size_t n) : n_(n) { REQUIRE(Device::get().call("cuMemAlloc_v2", &address_, n * sizeof(T)) == CUDA_SUCCESS); }
  explicit Buffer(const std::vector<T>& values) : Buffer(values.size()) {
    const void* from = values.data();
    REQUIRE(Device::get().call("cuMemcpyHtoD_v2", address_, from, n_ * sizeof(T)) == CUDA_SUCCESS);
  }
  ~Buffer() { Device::get().call("cuMemFree_v2", address_); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  CUdeviceptr at() const { return address_; }
  std::vector<T> values() const {
    std::vector<T> out(n_);
    void* to = out.data();
    REQUIRE(Device::get().call("cuMemcpyDtoH_v2", to, address_, n_ * sizeof(T)) == CUDA_SUCCESS);
    return out;
  }
  void zero() { REQUIRE(Device::get().call("cuMemsetD8_v2", address_, static_cast<unsigned char>(0), n_ * sizeof(T)) == CUDA_SUCCESS); }

 private:
  CUdeviceptr address_ = 0;
  std::size_t n_;
};

struct Size {
  unsigned x, y = 1, z = 1;
  Size(unsigned x, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};

/// A fixture loaded as a module.
class Module {
 public:
  explicit Module(const std::string& fixture);
  static std::unique_ptr<Module> of_text(const std::string& ptx);
  ~Module();
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;
  CUfunction function(const char* name) const;
  CUmodule handle() const { return module_; }
  /// Launches and waits; the launch's error or the wait's.
  template <class... Args>
  CUresult run(const char* kernel, Size grid, Size block, unsigned shared, Args... args) const {
    void* params[] = {static_cast<void*>(&args)..., nullptr};
    const Device& device = Device::get();
    const CUstream stream = nullptr;
    void** extra = nullptr;
    const CUresult launched = device.call("cuLaunchKernel", function(kernel), grid.x, grid.y, grid.z, block.x, block.y, block.z, shared,
                                          stream, static_cast<void**>(params), extra);
    return launched ? launched : device.call("cuCtxSynchronize");
  }

 private:
  Module() = default;
  void load(const std::string& image, const std::string& name);
  CUmodule module_ = nullptr;
};

/// A file of tests/fixtures here, with zeros after it.
std::string fixture(const std::string& name);

/// Numbers in [-1, 1), and any integers, from one generator with a fixed seed.
std::mt19937& generator();
float random_float();
std::vector<float> random_floats(std::size_t n);

// Formats and sums on the host.
std::uint16_t to_bf16(float x);
float from_bf16(std::uint16_t bits);
std::uint16_t to_f16(float x);
float from_f16(std::uint16_t bits);
/// The largest |a - b| / (1 + |b|).
double largest_error(const std::vector<float>& a, const std::vector<double>& b);
/// A [m, k] times B [k, n], or [n, k] where `transposed`, in f64.
std::vector<double> product(const std::vector<float>& a, const std::vector<float>& b, int m, int n, int k, bool transposed);

// The kernels of each fixture against the host; `family` is 75 or 80.
void check_compute(const Module& module);
void check_matrix(const Module& module, int family);
void check_instructions(const Module& module);
/// Warp collectives alone, of the same module.
void check_warps(const Module& module);

}  // namespace ptxcpu_tests
