// fixtures/matrix_*.ptx against the host. Sums are f32 over at most 128 products of numbers below 1: 1e-5 holds them all, measured 4e-7.
#include "tests/device.h"

namespace ptxcpu_tests {
namespace {

/// Random numbers that the format holds, and their bits.
struct Narrow {
  std::vector<float> values;
  std::vector<std::uint16_t> bits;
  Narrow(std::size_t n, std::uint16_t (*to)(float), float (*from)(std::uint16_t)) : values(random_floats(n)) {
    for (float& x : values) {
      bits.push_back(to(x));
      x = from(bits.back());
    }
  }
};

Narrow halves(std::size_t n) { return Narrow(n, to_f16, from_f16); }

void tiled(const Module& m) {
  const int M = 128, N = 192, K = 80;
  const auto a = random_floats(M * K), b = random_floats(K * N);
  const Buffer<float> da(a), db(b), dc(M * N);
  CHECK(m.run("sgemm", Size(N / 64, M / 64), 256, 0, da.at(), db.at(), dc.at(), M, N, K) == CUDA_SUCCESS);
  CHECK(largest_error(dc.values(), product(a, b, M, N, K, false)) < 1e-5);
}

void wmma(const Module& m) {
  const int M = 64, N = 48, K = 64;
  const Narrow a = halves(M * K), b = halves(N * K);
  const Buffer<std::uint16_t> da(a.bits), db(b.bits);
  const Buffer<float> dc(M * N);
  CHECK(m.run("wmma_gemm", 3, 128, 0, da.at(), db.at(), dc.at(), M, N, K) == CUDA_SUCCESS);
  CHECK(largest_error(dc.values(), product(a.values, b.values, M, N, K, true)) < 1e-5);
}

// A column-major, B row-major through shared memory, the sums stored column-major.
void wmma_layouts(const Module& m) {
  const int K = 32;
  const Narrow a = halves(16 * K), b = halves(16 * K);
  const auto c = random_floats(256);
  std::vector<float> rows(16 * K);
  for (int k = 0; k < K; ++k) {
    for (int i = 0; i < 16; ++i) rows[i * K + k] = a.values[k * 16 + i];
  }
  const auto sums = product(rows, b.values, 16, 16, K, false);
  std::vector<double> expected(256);
  for (int i = 0; i < 16; ++i) {
    for (int j = 0; j < 16; ++j) expected[j * 16 + i] = sums[i * 16 + j] + c[i * 16 + j];
  }
  const Buffer<std::uint16_t> da(a.bits), db(b.bits);
  const Buffer<float> dc(c), dd(256);
  CHECK(m.run("wmma_row", 1, 32, 0, da.at(), db.at(), dc.at(), dd.at(), K) == CUDA_SUCCESS);
  CHECK(largest_error(dd.values(), expected) < 1e-5);
}

void mma_pipeline(const Module& m) {
  const int M = 128, N = 64, K = 128;
  const Narrow a(M * K, to_bf16, from_bf16), b(N * K, to_bf16, from_bf16);
  const Buffer<std::uint16_t> da(a.bits), db(b.bits);
  const Buffer<float> dc(M * N);
  CHECK(m.run("mma_gemm", Size(N / 64, M / 64), 128, 0, da.at(), db.at(), dc.at(), M, N, K) == CUDA_SUCCESS);
  CHECK(largest_error(dc.values(), product(a.values, b.values, M, N, K, true)) < 1e-5);
}

// m16n8k16 and k8 of f16, k8 of tf32, ldmatrix.trans, redux.
void mma_shapes(const Module& m) {
  const Narrow a = halves(256), b = halves(128);
  const auto a32 = random_floats(128), b32 = random_floats(64);
  const Buffer<std::uint16_t> da(a.bits), db(b.bits);
  const Buffer<float> ta(a32), tb(b32), out(386);
  CHECK(m.run("mma_shapes", 1, 32, 0, da.at(), db.at(), ta.at(), tb.at(), out.at()) == CUDA_SUCCESS);
  const auto d = out.values();
  const auto part = [&](int i) { return std::vector<float>(d.begin() + i * 128, d.begin() + (i + 1) * 128); };
  CHECK(largest_error(part(0), product(a.values, b.values, 16, 8, 16, false)) < 1e-5);
  std::vector<float> left;
  for (int i = 0; i < 16; ++i) left.insert(left.end(), a.values.begin() + i * 16, a.values.begin() + i * 16 + 8);
  auto expected = product(left, std::vector<float>(b.values.begin(), b.values.begin() + 64), 16, 8, 8, false);
  for (double& x : expected) x += 1;
  CHECK(largest_error(part(1), expected) < 1e-5);
  CHECK(largest_error(part(2), product(a32, b32, 16, 8, 8, false)) < 2e-3);  // tf32 keeps ten bits: 4e-4
  CHECK(d[384] == 496);
  CHECK(d[385] == 30);  // the largest lane * 7 % 31
}

}  // namespace

void check_matrix(const Module& module, int family) {
  tiled(module);
  wmma(module);
  wmma_layouts(module);
  if (family < 80) return;
  mma_pipeline(module);
  mma_shapes(module);
}

}  // namespace ptxcpu_tests
