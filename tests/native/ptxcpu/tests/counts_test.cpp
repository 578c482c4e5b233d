// What a launch is said to have done, against what it must do by its shapes.
#include <cstring>

#include "tests/device.h"

namespace ptxcpu_tests {
namespace {

/// The counts of the newest launch.
Counts newest(const char* kernel) {
  const Device& device = Device::get();
  const unsigned long long launches = device.symbol<unsigned long long()>("ptxcpuLaunches")();
  REQUIRE(launches > 0);
  const char* name = nullptr;
  Counts counts{};
  REQUIRE(device.symbol<int(unsigned long long, const char**, Counts*)>("ptxcpuLaunchCounts")(launches - 1, &name, &counts) == 1);
  CHECK(std::strcmp(name, kernel) == 0);
  return counts;
}

}  // namespace

TEST_CASE("bytes of a vector addition") {
  const Module m("compute_80.ptx");
  const unsigned n = 1000;
  const Buffer<float> a(random_floats(n)), b(random_floats(n)), c(n);
  REQUIRE(m.run("vecadd", 4, 256, 0, a.at(), b.at(), c.at(), static_cast<int>(n)) == CUDA_SUCCESS);
  const Counts counts = newest("vecadd");
  CHECK(counts.global_load_bytes == 2 * n * 4);
  CHECK(counts.global_store_bytes == n * 4);
  CHECK(counts.mma == 0);
  CHECK(counts.barriers == 0);
  // 1024 threads run to the bounds check, 1000 go on.
  CHECK(counts.thread_instructions > n * 10);
  CHECK(counts.thread_instructions < 1024 * 40);
}

TEST_CASE("products, copies and barriers of a pipelined matrix product") {
  const Module m("matrix_80.ptx");
  const unsigned M = 128, N = 64, K = 96, blocks = (M / 64) * (N / 64), steps = K / 32;
  const Buffer<std::uint16_t> a(std::vector<std::uint16_t>(M * K)), b(std::vector<std::uint16_t>(N * K));
  const Buffer<float> c(M * N);
  REQUIRE(m.run("mma_gemm", Size(N / 64, M / 64), 128, 0, a.at(), b.at(), c.at(), int{M}, int{N}, int{K}) == CUDA_SUCCESS);
  const Counts counts = newest("mma_gemm");
  CHECK(counts.mma_flop == 2 * M * N * K);
  CHECK(counts.mma == M / 16 * (N / 8) * (K / 16));
  CHECK(counts.async_copy_bytes == blocks * steps * 2 * 64 * 32 * 2);
  CHECK(counts.global_load_bytes == counts.async_copy_bytes);
  CHECK(counts.global_store_bytes == M * N * 4);
  CHECK(counts.ldmatrix == blocks * steps * 4 * 2 * (2 + 4));  // four warps, two halves of a step, two tiles of A and four of B
  CHECK(counts.barriers == blocks * steps * 2 * 128);
}

TEST_CASE("counts start anew with a reset") {
  Device::get().reset();
  CHECK(Device::get().symbol<unsigned long long()>("ptxcpuLaunches")() == 0);
}

}  // namespace ptxcpu_tests
