// Streams that run late, entry points, and what is not there.
#include <cstring>

#include "tests/device.h"

namespace ptxcpu_tests {
namespace {

/// Pinned memory for n floats.
struct Pinned {
  float* at = nullptr;
  explicit Pinned(std::size_t n) {
    void* made = nullptr;
    REQUIRE(Device::get().call("cuMemHostAlloc", &made, n * sizeof(float), 0u) == CUDA_SUCCESS);
    at = static_cast<float*>(made);
  }
  ~Pinned() { Device::get().call("cuMemFreeHost", static_cast<void*>(at)); }
};

CUresult load(const std::string& ptx) {
  CUmodule module = nullptr;
  const void* image = ptx.c_str();
  return Device::get().call("cuModuleLoadData", &module, image);
}

std::string kernel_of(const std::string& body) {
  return ".version 7.0\n.target sm_75\n.address_size 64\n.visible .entry k()\n{\n.reg .b32 %r<4>;\n.reg .b64 %rd<4>;\n" + body +
         "\nret;\n}\n";
}

}  // namespace

TEST_CASE("lazy streams: work runs when something waits for it") {
  const Setting lazy("PTXCPU_LAZY", "1");
  const Device& device = Device::get();
  const Module m("compute_80.ptx");
  int n = 1024;
  const std::size_t bytes = 1024 * sizeof(float);
  const Pinned in(1024), out(1024);
  for (int i = 0; i < n; ++i) in.at[i] = static_cast<float>(i), out.at[i] = -1;
  CUstream stream = nullptr;
  REQUIRE(device.call("cuStreamCreate", &stream, 1u) == CUDA_SUCCESS);
  const Buffer<float> a(1024), c(1024);
  CUdeviceptr pa = a.at(), pc = c.at();
  void* params[] = {&pa, &pa, &pc, &n};
  const auto step = [&] { CHECK(device.call("cuMemcpyHtoDAsync_v2", pa, static_cast<const void*>(in.at), bytes, stream) == CUDA_SUCCESS); };
  const auto launch = [&] {
    CHECK(device.call("cuLaunchKernel", m.function("vecadd"), 4u, 1u, 1u, 256u, 1u, 1u, 0u, stream, static_cast<void**>(params),
                      static_cast<void**>(nullptr)) == CUDA_SUCCESS);
  };
  step();
  launch();
  CHECK(device.call("cuMemcpyDtoHAsync_v2", static_cast<void*>(out.at), pc, bytes, stream) == CUDA_SUCCESS);
  CHECK(out.at[5] == -1);
  CUevent event = nullptr;
  CHECK(device.call("cuEventCreate", &event, 0u) == CUDA_SUCCESS);
  CHECK(device.call("cuEventRecord", event, stream) == CUDA_SUCCESS);
  CHECK(device.call("cuEventSynchronize", event) == CUDA_SUCCESS);
  CHECK(out.at[5] == 10);
  CHECK(out.at[1023] == 2046);
  step();
  in.at[7] = 1000;  // a pinned source that changes before the copy has run
  launch();
  CHECK(device.call("cuStreamSynchronize", stream) == CUDA_SUCCESS);
  CHECK(c.values()[7] == 2000);
  CHECK(device.call("cuEventDestroy_v2", event) == CUDA_SUCCESS);
  CHECK(device.call("cuStreamDestroy_v2", stream) == CUDA_SUCCESS);
}

TEST_CASE("launches by configuration and by parameter buffer, on managed memory") {
  const Device& device = Device::get();
  const Module m("compute_80.ptx");
  CUdeviceptr x = 0;
  REQUIRE(device.call("cuMemAllocManaged", &x, std::size_t{32 * 4}, 1u) == CUDA_SUCCESS);
  auto* values = reinterpret_cast<float*>(x);  // managed memory is the host's too
  for (int i = 0; i < 32; ++i) values[i] = static_cast<float>(i);
  struct {
    CUdeviceptr a, b, c;
    int n;
  } arguments{x, x, x, 32};
  std::size_t size = 28;  // without the padding at its end
  void* buffer[] = {CU_LAUNCH_PARAM_BUFFER_POINTER, &arguments, CU_LAUNCH_PARAM_BUFFER_SIZE, &size, CU_LAUNCH_PARAM_END};
  const CUlaunchConfig config{1, 1, 1, 32, 1, 1, 0, nullptr, nullptr, 0};
  const auto launch = [&] {
    return device.call("cuLaunchKernelEx", &config, m.function("vecadd"), static_cast<void**>(nullptr), static_cast<void**>(buffer));
  };
  CHECK(launch() == CUDA_SUCCESS);
  CHECK(device.call("cuCtxSynchronize") == CUDA_SUCCESS);
  CHECK(values[31] == 62);
  const Setting quiet("PTXCPU_QUIET", "1");
  size = 24;
  CHECK(launch() == CUDA_ERROR_INVALID_VALUE);
  CHECK(device.call("cuMemFree_v2", x) == CUDA_SUCCESS);
}

TEST_CASE("cuGetProcAddress gives the newest version of a function, and names one that it lacks") {
  const Device& device = Device::get();
  const Setting quiet("PTXCPU_QUIET", "1");
  void* found = nullptr;
  CHECK(device.call("cuGetProcAddress", "cuMemAlloc", &found, 11000, std::uint64_t{0}) == CUDA_SUCCESS);
  CHECK(found == device.find("cuMemAlloc_v2"));
  CHECK(device.call("cuGetProcAddress", "cuNoSuchCall", &found, 11000, std::uint64_t{0}) == CUDA_ERROR_NOT_FOUND);
  CHECK(device.message().find("cuNoSuchCall") != std::string::npos);
  CHECK(device.call("cuGraphCreate") == CUDA_ERROR_NOT_SUPPORTED);
  CHECK(device.message().find("cuGraphCreate") != std::string::npos);
}

TEST_CASE("an unknown instruction is refused at load, with its line and opcode") {
  const Setting quiet("PTXCPU_QUIET", "1");
  const char* const unknown[] = {"frobnicate.b32 %r0, %r1;", "add.u128 %r0, %r1, %r2;", "mad.lo.cc.u32 %r0, %r1, %r2, %r3;",
                                 "cp.async.bulk.commit_group;",
                                 "@%r0 mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%r0}, {%r1}, {%r2}, {%r3};"};
  for (const char* instruction : unknown) {
    CAPTURE(instruction);
    CHECK(load(kernel_of(std::string("mov.u32 %r1, 1;\n") + instruction)) == CUDA_ERROR_INVALID_PTX);
    const std::string message = Device::get().message(), text = instruction;
    const std::size_t start = text[0] == '@' ? text.find(' ') + 1 : 0;
    const std::string opcode = text.substr(start, text.find_first_of(" ;", start) - start);
    CHECK_MESSAGE(message.find("line 9: " + opcode) != message.npos, message);
  }
  CHECK(load(kernel_of("mov.u32 %r1, %nosuch;")) == CUDA_ERROR_INVALID_PTX);
  CHECK(Device::get().message().find("line 8") != std::string::npos);
}

TEST_CASE("the error log of a load goes to the caller's buffer") {
  const Setting quiet("PTXCPU_QUIET", "1");
  char log[64];
  std::memset(log, 'x', sizeof log);
  CUjit_option options[] = {CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
  void* values[] = {log, reinterpret_cast<void*>(sizeof log)};
  CUmodule module = nullptr;
  const std::string ptx = kernel_of("frobnicate.b32 %r0, %r1;");
  CHECK(Device::get().call("cuModuleLoadDataEx", &module, static_cast<const void*>(ptx.c_str()), 2u, static_cast<CUjit_option*>(options),
                           static_cast<void**>(values)) == CUDA_ERROR_INVALID_PTX);
  CHECK(std::string(log) == "unknown PTX instruction: line 8: frobnicate.b32");
}

}  // namespace ptxcpu_tests
