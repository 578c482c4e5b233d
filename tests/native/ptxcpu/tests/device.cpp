#include "tests/device.h"

#include <dlfcn.h>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <sstream>

namespace ptxcpu_tests {

Device::Device() : library_(dlopen(PTXCPU_LIBRARY, RTLD_NOW | RTLD_LOCAL)) {
  if (!library_) {
    std::fprintf(stderr, "%s\n", dlerror());
    std::abort();
  }
  CUdevice device = 0;
  CUcontext context = nullptr;
  const bool ready = call("cuInit", 0u) == CUDA_SUCCESS && call("cuDeviceGet", &device, 0) == CUDA_SUCCESS &&
                     call("cuDevicePrimaryCtxRetain", &context, device) == CUDA_SUCCESS && call("cuCtxSetCurrent", context) == CUDA_SUCCESS;
  if (!ready) std::abort();
}

Device& Device::get() {
  static Device device;
  return device;
}

void* Device::find(const char* name) const {
  void* found = dlsym(library_, name);
  if (!found) {
    std::fprintf(stderr, "no symbol %s in %s\n", name, PTXCPU_LIBRARY);
    std::abort();
  }
  return found;
}

std::string fixture(const std::string& name) {
  std::ifstream file(std::string(PTXCPU_FIXTURES) + "/" + name, std::ios::binary);
  REQUIRE_MESSAGE(file.good(), name);
  std::stringstream bytes;
  bytes << file.rdbuf();
  return bytes.str() + std::string(16, '\0');
}

void Module::load(const std::string& image, const std::string& name) {
  const void* at = image.data();
  const CUresult loaded = Device::get().call("cuModuleLoadData", &module_, at);
  REQUIRE_MESSAGE(loaded == CUDA_SUCCESS, name << ": " << Device::get().message());
}

Module::Module(const std::string& name) { load(fixture(name), name); }

std::unique_ptr<Module> Module::of_text(const std::string& ptx) {
  std::unique_ptr<Module> made(new Module);
  made->load(ptx + std::string(16, '\0'), "text");
  return made;
}

Module::~Module() { Device::get().call("cuModuleUnload", module_); }

CUfunction Module::function(const char* name) const {
  CUfunction found = nullptr;
  REQUIRE_MESSAGE(Device::get().call("cuModuleGetFunction", &found, module_, name) == CUDA_SUCCESS, name);
  return found;
}

std::mt19937& generator() {
  static std::mt19937 made(1);
  return made;
}

float random_float() { return std::uniform_real_distribution<float>(-1, 1)(generator()); }

std::vector<float> random_floats(std::size_t n) {
  std::vector<float> out(n);
  for (float& x : out) x = random_float();
  return out;
}

std::uint16_t to_bf16(float x) {
  std::uint32_t bits;
  std::memcpy(&bits, &x, 4);
  return std::isnan(x) ? 0x7fff : static_cast<std::uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

float from_bf16(std::uint16_t bits) {
  const std::uint32_t wide = static_cast<std::uint32_t>(bits) << 16;
  float x;
  std::memcpy(&x, &wide, 4);
  return x;
}

std::uint16_t to_f16(float x) {
  const auto half = static_cast<_Float16>(x);
  std::uint16_t bits;
  std::memcpy(&bits, &half, 2);
  return bits;
}

float from_f16(std::uint16_t bits) {
  _Float16 half;
  std::memcpy(&half, &bits, 2);
  return static_cast<float>(half);
}

double largest_error(const std::vector<float>& a, const std::vector<double>& b) {
  double most = 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    const double error = std::fabs(a[i] - b[i]) / (1 + std::fabs(b[i]));
    if (!(error <= most)) most = std::isnan(error) ? 1e30 : error;
  }
  return most;
}

std::vector<double> product(const std::vector<float>& a, const std::vector<float>& b, int m, int n, int k, bool transposed) {
  std::vector<double> out(static_cast<std::size_t>(m) * n);
  for (int i = 0; i < m; ++i) {
    for (int l = 0; l < k; ++l) {
      for (int j = 0; j < n; ++j) out[i * n + j] += static_cast<double>(a[i * k + l]) * b[transposed ? j * k + l : l * n + j];
    }
  }
  return out;
}

}  // namespace ptxcpu_tests
