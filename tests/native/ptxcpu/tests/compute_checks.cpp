// fixtures/compute_*.ptx against the host.
#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/device.h"

namespace ptxcpu_tests {
namespace {

void vector_add(const Module& m) {
  const int n = 10007;
  const auto a = random_floats(n), b = random_floats(n);
  const Buffer<float> da(a), db(b), dc(n);
  CHECK(m.run("vecadd", (n + 255) / 256, 256, 0, da.at(), db.at(), dc.at(), n) == CUDA_SUCCESS);
  std::vector<float> sum(n);
  for (int i = 0; i < n; ++i) sum[i] = a[i] + b[i];
  CHECK(dc.values() == sum);
}

void reduction(const Module& m) {
  const int n = 100000;
  const auto a = random_floats(n);
  double sum = 0;
  for (const float x : a) sum += x;
  const Buffer<float> da(a);
  Buffer<float> out(1);
  out.zero();
  CHECK(m.run("reduce", 24, 256, 0, da.at(), out.at(), n) == CUDA_SUCCESS);
  CHECK(std::fabs(out.values()[0] - sum) < 1e-2);  // 2.5e-5
}

void softmax(const Module& m) {
  const int rows = 17, cols = 1000;
  auto a = random_floats(rows * cols);
  for (float& x : a) x *= 8;
  std::vector<double> expected(a.size());
  for (int i = 0; i < rows; ++i) {
    const auto row = a.begin() + i * cols;
    const double top = *std::max_element(row, row + cols);
    double sum = 0;
    for (int j = 0; j < cols; ++j) sum += std::exp(row[j] - top);
    for (int j = 0; j < cols; ++j) expected[i * cols + j] = std::exp(row[j] - top) / sum;
  }
  const Buffer<float> da(a), out(a.size());
  CHECK(m.run("softmax_row", rows, 128, cols * 4, da.at(), out.at(), cols) == CUDA_SUCCESS);
  CHECK(largest_error(out.values(), expected) < 1e-6);  // 2e-8
}

void nf4(const Module& m) {
  const float table[16] = {-1.0f,
                           -0.6961928009986877f,
                           -0.5250730514526367f,
                           -0.39491748809814453f,
                           -0.28444138169288635f,
                           -0.18477343022823334f,
                           -0.09105003625154495f,
                           0.0f,
                           0.07958029955625534f,
                           0.16093020141124725f,
                           0.24611230194568634f,
                           0.33791524171829224f,
                           0.44070982933044434f,
                           0.5626170039176941f,
                           0.7229568362236023f,
                           1.0f};
  const int n = 4096, block = 64;
  std::vector<std::uint8_t> codes(n / 2);
  for (auto& code : codes) code = static_cast<std::uint8_t>(generator()());
  auto scales = random_floats(n / block);
  for (float& x : scales) x = std::fabs(x);
  const Buffer<std::uint8_t> dq(codes);
  const Buffer<float> ds(scales);
  const Buffer<std::uint16_t> out(n);
  CHECK(m.run("nf4_dequant", (n / 2 + 255) / 256, 256, 0, dq.at(), ds.at(), out.at(), n, block) == CUDA_SUCCESS);
  std::vector<std::uint16_t> expected(n);
  for (int i = 0; i < n; ++i) expected[i] = to_bf16(table[i & 1 ? codes[i / 2] & 15 : codes[i / 2] >> 4] * scales[i / block]);
  CHECK(out.values() == expected);
}

void adamw(const Module& m) {
  const int n = 1000, step = 3;
  const auto p = random_floats(n), g = random_floats(n), mean = random_floats(n);
  auto square = random_floats(n);
  for (float& x : square) x = std::fabs(x);
  const float rate = 1e-2f, b1 = .9f, b2 = .999f, eps = 1e-8f, decay = .01f;
  const Buffer<float> dp(p), dg(g), dm(mean), dv(square);
  CHECK(m.run("adamw", 8, 128, 0, dp.at(), dg.at(), dm.at(), dv.at(), n, rate, b1, b2, eps, decay, step) == CUDA_SUCCESS);
  std::vector<double> expected(n);
  for (int i = 0; i < n; ++i) {
    const double mi = b1 * mean[i] + (1 - double{b1}) * g[i], vi = b2 * square[i] + (1 - double{b2}) * g[i] * g[i];
    const double unbiased = std::sqrt(vi / (1 - std::pow(b2, step))) + eps;
    expected[i] = p[i] * (1 - double{rate} * decay) - rate * (mi / (1 - std::pow(b1, step))) / unbiased;
  }
  CHECK(largest_error(dp.values(), expected) < 1e-4);  // 1e-5: 1 - b2^step cancels in f32
}

void attention(const Module& m) {
  const int tokens = 150, heads = 2, d = 32;
  const auto q = random_floats(heads * tokens * d), k = random_floats(q.size()), v = random_floats(q.size());
  const float scale = 1 / std::sqrt(float{d});
  const Buffer<float> dq(q), dk(k), dv(v), out(q.size()), lse(heads * tokens);
  CHECK(m.run("flash_fwd", Size((tokens + 63) / 64, heads), 64, 0, dq.at(), dk.at(), dv.at(), out.at(), lse.at(), tokens, scale) ==
        CUDA_SUCCESS);
  std::vector<double> expected(q.size()), sums(heads * tokens);
  for (int row = 0; row < heads * tokens; ++row) {
    const int first = row / tokens * tokens;
    std::vector<double> s(row - first + 1);
    double top = -1e9, sum = 0;
    for (std::size_t j = 0; j < s.size(); ++j) {
      for (int i = 0; i < d; ++i) s[j] += double{q[row * d + i]} * k[(first + j) * d + i];
      s[j] *= scale;
      top = std::max(top, s[j]);
    }
    for (double& x : s) sum += x = std::exp(x - top);
    for (std::size_t j = 0; j < s.size(); ++j) {
      for (int i = 0; i < d; ++i) expected[row * d + i] += s[j] / sum * v[(first + j) * d + i];
    }
    sums[row] = top + std::log(sum);
  }
  CHECK(largest_error(out.values(), expected) < 1e-5);  // 2e-7
  CHECK(largest_error(lse.values(), sums) < 1e-5);
}

void histogram(const Module& m) {
  const int n = 50000;
  std::vector<std::uint8_t> x(n);
  std::vector<unsigned> expected(256);
  for (auto& c : x) ++expected[c = static_cast<std::uint8_t>(generator()() % 200)];
  const Buffer<std::uint8_t> dx(x);
  Buffer<unsigned> out(256);
  out.zero();
  CHECK(m.run("histogram", 7, 192, 0, dx.at(), out.at(), n) == CUDA_SUCCESS);
  CHECK(out.values() == expected);
}

void halves(const Module& m) {
  const int n = 2000;
  auto x = random_floats(n);
  x[0] = 1e-7f;
  x[1] = 70000.f;
  x[2] = -std::numeric_limits<float>::infinity();
  const Buffer<float> dx(x), sums(n);
  const Buffer<std::uint16_t> brain(n), half(n);
  CHECK(m.run("bf16_convert", 8, 128, 0, dx.at(), brain.at(), half.at(), sums.at(), n) == CUDA_SUCCESS);
  const auto b = brain.values(), h = half.values();
  const auto s = sums.values();
  int wrong = 0;
  for (int i = 0; i < n; ++i) {
    wrong += b[i] != to_bf16(x[i]) || h[i] != to_f16(x[i]);
    if (i < 5) continue;  // squares that f16 cannot hold
    const float fb = from_bf16(b[i]), fh = from_f16(h[i]);
    const float expected = from_bf16(to_bf16(fb * fb)) + from_f16(to_f16(static_cast<float>(std::fma(double{fh}, fh, fh))));
    wrong += !(std::fabs(s[i] - expected) <= 1e-3f * std::fabs(expected) + 1e-6f);
  }
  CHECK(wrong == 0);
}

}  // namespace

void check_compute(const Module& module) {
  vector_add(module);
  reduction(module);
  softmax(module);
  nf4(module);
  adamw(module);
  attention(module);
  histogram(module);
  halves(module);
}

}  // namespace ptxcpu_tests
