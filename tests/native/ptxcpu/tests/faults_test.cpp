// What is wrong is found, and said: each fault with its error code and words of its message.
#include <cmath>
#include <functional>
#include <optional>

#include <unistd.h>

#include "tests/device.h"

namespace ptxcpu_tests {
namespace {

/// Runs `fn`, whose error and message must be these, and clears the error that sticks.
void expect(CUresult code, const char* words, const std::function<CUresult()>& fn) {
  const Device& device = Device::get();
  const CUresult got = fn();
  const std::string message = device.message();
  device.reset();
  CHECK(got == code);
  CHECK_MESSAGE(message.find(words) != message.npos, message);
}

/// Whether the program itself can read this memory: the system looks, which does not end the process where it cannot.
bool readable(CUdeviceptr address) {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const bool read = write(ends[1], reinterpret_cast<const void*>(address), 4) == 4;
  close(ends[0]);
  close(ends[1]);
  return read;
}

bool all_nan(const std::vector<float>& values) {
  for (const float x : values) {
    if (!std::isnan(x)) return false;
  }
  return true;
}

/// The kernels of the newer family, which has them all, and no printing of what is expected.
struct Faults {
  Setting quiet{"PTXCPU_QUIET", "1"};
  Module m{"faults_80.ptx"};
};

}  // namespace

TEST_CASE_FIXTURE(Faults, "accesses outside of allocations") {
  expect(CUDA_ERROR_ILLEGAL_ADDRESS, "out-of-bounds", [&] {
    const Buffer<float> a(1000);
    return m.run("bad_oob", 4, 256, 0, a.at(), 1000);
  });
  expect(CUDA_ERROR_ILLEGAL_ADDRESS, "use after free", [&] {
    const CUdeviceptr gone = Buffer<float>(1024).at();
    return m.run("bad_oob", 4, 256, 0, gone, 1024);
  });
  expect(CUDA_ERROR_ILLEGAL_ADDRESS, "null pointer", [&] { return m.run("bad_oob", 1, 32, 0, CUdeviceptr{0}, 32); });
  expect(CUDA_ERROR_MISALIGNED_ADDRESS, "misaligned 4-byte load", [&] {
    const Buffer<char> a(64);
    const Buffer<float> y(32);
    return m.run("bad_align", 1, 1, 0, a.at(), y.at());
  });
  expect(CUDA_ERROR_ILLEGAL_ADDRESS, "out-of-bounds shared", [&] {
    const Buffer<float> y(64);
    return m.run("bad_shared", 1, 64, 0, y.at(), 1);
  });
}

TEST_CASE_FIXTURE(Faults, "barriers and collectives that do not meet") {
  const Buffer<float> y(64);
  expect(CUDA_ERROR_LAUNCH_FAILED, "deadlock", [&] { return m.run("bad_divergent", 1, 32, 0, y.at()); });
  expect(CUDA_ERROR_LAUNCH_FAILED, "divergent bar.sync", [&] { return m.run("bad_twobars", 1, 64, 0, y.at()); });
  const Setting strict("PTXCPU_STRICT", "1");
  expect(CUDA_ERROR_LAUNCH_FAILED, "exited", [&] { return m.run("bad_barrier", 1, 64, 0, y.at(), 7); });
}

TEST_CASE_FIXTURE(Faults, "a trap, and launches with wrong sizes") {
  expect(CUDA_ERROR_LAUNCH_FAILED, "trap", [&] { return m.run("bad_assert", 1, 32, 0, 5); });
  expect(CUDA_ERROR_INVALID_VALUE, "1024", [&] { return m.run("bad_assert", 1, 1025, 0, 0); });
  const Module compute("compute_80.ptx");
  const Buffer<float> x(64);
  expect(CUDA_ERROR_INVALID_VALUE, "dynamic", [&] { return compute.run("softmax_row", 1, 64, 50000, x.at(), x.at(), 64); });
}

TEST_CASE_FIXTURE(Faults, "an error sticks until the context is reset") {
  const Buffer<float> y(32);
  CHECK(m.run("bad_assert", 1, 32, 0, 5) == CUDA_ERROR_LAUNCH_FAILED);
  CHECK(Device::get().call("cuCtxSynchronize") == CUDA_ERROR_LAUNCH_FAILED);
  CHECK(Device::get().call("cuDevicePrimaryCtxReset_v2", CUdevice{0}) == CUDA_SUCCESS);
  CHECK(Device::get().call("cuCtxSynchronize") == CUDA_SUCCESS);
}

TEST_CASE_FIXTURE(Faults, "copies past the end, double frees") {
  const Device& device = Device::get();
  expect(CUDA_ERROR_INVALID_VALUE, "not inside", [&] {
    const Buffer<float> x(64);
    const std::vector<float> more(65);
    const void* from = more.data();
    return device.call("cuMemcpyHtoD_v2", x.at(), from, std::size_t{260});
  });
  expect(CUDA_ERROR_INVALID_VALUE, "double free", [&] {
    CUdeviceptr p = 0;
    REQUIRE(device.call("cuMemAlloc_v2", &p, std::size_t{4}) == CUDA_SUCCESS);
    REQUIRE(device.call("cuMemFree_v2", p) == CUDA_SUCCESS);
    return device.call("cuMemFree_v2", p);
  });
}

TEST_CASE_FIXTURE(Faults, "guarded memory is there for copies and kernels, not for the program") {
  const Buffer<float> before(32), y(32);
  CHECK(readable(before.at()));
  {
    const Setting guard("PTXCPU_GUARD", "1");
    const Buffer<float> x(std::vector<float>{1, 2, 3, 4});
    CHECK_FALSE(readable(before.at()));
    CHECK_FALSE(readable(x.at()));
    CHECK(x.values() == std::vector<float>{1, 2, 3, 4});
    CHECK_FALSE(readable(x.at()));
    for (int launch = 0; launch < 2; ++launch) {
      CHECK(m.run("bad_uninit", 1, 32, 0, before.at(), y.at()) == CUDA_SUCCESS);
      CHECK_FALSE(readable(before.at()));
      CHECK_FALSE(readable(y.at()));
    }
  }
  CHECK(readable(before.at()));
}

TEST_CASE_FIXTURE(Faults, "what was never written reads as NaN") {
  const Buffer<float> scratch(32), y(32);
  CHECK(m.run("bad_uninit", 1, 32, 0, scratch.at(), y.at()) == CUDA_SUCCESS);
  CHECK(all_nan(y.values()));
  const Buffer<float> x(random_floats(128)), copied(128);
  CHECK(m.run("bad_cpasync", 1, 128, 0, x.at(), copied.at()) == CUDA_SUCCESS);
  CHECK(all_nan(copied.values()));  // cp.async without a wait
}

TEST_CASE_FIXTURE(Faults, "a missing barrier shows in the result under another schedule") {
  const auto x = random_floats(256);
  for (const char* schedule : {"random:1", "random:2", ""}) {
    const Setting order("PTXCPU_SCHED", schedule);
    const Buffer<float> dx(x), y(256);
    CHECK(m.run("bad_nosync", 1, 256, 0, dx.at(), y.at()) == CUDA_SUCCESS);
    const auto got = y.values();
    CHECK(got != std::vector<float>(x.rbegin(), x.rend()));
  }
  const Setting order("PTXCPU_SCHED", "random:3");
  const Buffer<float> y(128);
  CHECK(m.run("bad_stale", 1, 128, 0, y.at()) == CUDA_SUCCESS);
  std::vector<float> meant(128);
  for (int i = 0; i < 128; ++i) meant[i] = static_cast<float>((i + 64) % 128 * 2);
  CHECK(y.values() != meant);
}

TEST_CASE_FIXTURE(Faults, "race detection names both accesses") {
  const Setting race("PTXCPU_RACE", "1");
  const Buffer<float> x(random_floats(256)), y(256);
  expect(CUDA_ERROR_LAUNCH_FAILED, "race", [&] { return m.run("bad_nosync", 1, 256, 0, x.at(), y.at()); });
  expect(CUDA_ERROR_LAUNCH_FAILED, "race", [&] { return m.run("bad_stale", 1, 128, 0, y.at()); });
}

}  // namespace ptxcpu_tests
