// fixtures/instructions_*.ptx against the host.
#include <algorithm>
#include <cmath>

#include "tests/device.h"

namespace ptxcpu_tests {
namespace {

constexpr int kOutputs = 32;  // of kernel misc, for each input

struct Big {
  int a;
  float w[6];
  long long z;
};

std::uint32_t reversed(std::uint32_t u) {
  std::uint32_t out = 0;
  for (int k = 0; k < 32; ++k) out |= (u >> k & 1) << (31 - k);
  return out;
}

/// Horner's rule without fused products being lost: what the kernel's fma computes.
float polynomial(const float* c, int n, float x) {
  float r = 0;
  for (int i = 0; i < n; ++i) r = std::fmaf(r, x, c[i]);
  return r;
}

int switched(int x) {
  const auto u = static_cast<std::uint32_t>(x);
  switch (x & 7) {
    case 0:
      return 11;
    case 1:
      return static_cast<int>(u + 5);
    case 2:
      return static_cast<int>(u * 3);
    case 3:
      return 8;
    case 4:
      return x ^ 0x55;
    case 5:
      return -1;
    case 6:
      return 99;
    default:
      return 1234;
  }
}

/// What kernel misc gives for x.
std::vector<int> expected_of(int x, const Big& big) {
  const auto u = static_cast<std::uint32_t>(x);
  const auto low = [](std::uint64_t v) { return static_cast<int>(v); };
  std::vector<int> e(kOutputs);
  e[0] = u ? __builtin_clz(u) : 32;
  e[1] = __builtin_popcount(u);
  e[2] = low(reversed(u));
  const std::uint64_t pair = 0x12345678ull << 32 | u;
  for (int k = 0; k < 4; ++k) e[3] |= low((pair >> ("\0\4\1\5"[k] * 8) & 255) << (8 * k));
  e[4] = low((~u << 7) | (u >> 25));
  e[5] = static_cast<int>(static_cast<std::int64_t>(x) * 0x12345679 >> 32);
  e[6] = low(std::uint64_t{u} * 0x87654321u >> 32);
  e[7] = x / 7 + x % 13;
  e[8] = low(u / 11u + u % 17u);
  e[9] = static_cast<int>((static_cast<long long>(x) * x) >> 5);
  e[10] = __builtin_ffs(x);
  e[11] = x >> 3;
  e[12] = low(u >> 5);
  e[13] = std::min(x, 1000) + std::max(x, -1000) + std::abs(x % 1000);
  e[14] = static_cast<int>(std::rint(static_cast<float>(x) * 0.001f));
  e[15] = static_cast<int>(std::floor(static_cast<float>(x) * 0.001f));
  e[16] = static_cast<int>(static_cast<long long>(x * 1.5));
  e[17] = static_cast<std::int8_t>(x) + static_cast<std::uint8_t>(x >> 8) + static_cast<std::int16_t>(x);
  float digits[8];
  for (int k = 0; k < 8; ++k) digits[k] = static_cast<float>((x >> k) & 15);
  e[18] = static_cast<int>(digits[x & 7]) + static_cast<int>(polynomial(digits, (x & 3) + 2, 0.5f));
  e[19] = static_cast<int>(big.w[u % 6u]) + big.a + static_cast<int>(big.z);
  e[20] = switched(x);
  const auto small = static_cast<float>(x & 1023);
  e[21] = static_cast<int>(x & 1 ? -small : small * small);
  e[22] = low((u & 0xF0F0F0F0u) | ((~u & 0x0F0F0000u) ^ 0x1234u));
  e[23] = low(u * 0x9E3779B97F4A7C15ull >> 40);
  e[24] = 1;
  e[25] = static_cast<int>(static_cast<float>(1 / std::sqrt(double{static_cast<float>(u >> 8) + 1.f})) * 1e6f);
  e[26] = static_cast<int>(std::sin(static_cast<float>(x & 255) * 0.1f) * 1000.f);
  e[27] = static_cast<int>(std::tanh(std::fmaf(static_cast<float>(x & 255), 0.01f, -1.f)) * 1000.f);
  e[28] = static_cast<int>(100.0 * std::sqrt(static_cast<double>(u & 0xffff)));
  e[29] = 5;
  for (int k = 0; k < 4; ++k) e[29] += static_cast<std::int8_t>(x >> (8 * k)) * (4 - k);
  e[30] = 6;
  e[31] = static_cast<int>(std::erf(static_cast<float>(x & 63) * .03f) * 1e4f);
  return e;
}

void integers_and_bits(const Module& m) {
  const int n = 1000;
  std::vector<int> in(n);
  for (int& x : in) x = static_cast<int>(generator()());
  in[0] = 0, in[1] = -1, in[2] = 1;
  const Big big{7, {1.5f, 2.5f, -3.5f, 4.25f, 5, 6}, 100000};
  const Buffer<int> di(in), out(n * kOutputs);
  CHECK(m.run("misc", (n + 127) / 128, 128, 0, di.at(), out.at(), big, n) == CUDA_SUCCESS);
  const auto r = out.values();
  std::string wrong;
  for (int i = 0; i < n && wrong.size() < 200; ++i) {
    const auto e = expected_of(in[i], big);
    for (int k = 0; k < kOutputs; ++k) {
      // Functions that PTX computes by series of its own: one unit after the scaling.
      const int tolerance = k == 25 || k == 26 || k == 27 || k == 31;
      const int got = r[i * kOutputs + k];
      if (std::abs(got - e[k]) > tolerance) wrong += doctest::toString(in[i]).c_str() + std::string(" o") + std::to_string(k) + "; ";
    }
  }
  CHECK(wrong == "");
}

void globals(const Module& m) {
  const Device& device = Device::get();
  CUdeviceptr table = 0, counter = 0;
  std::size_t size = 0;
  std::vector<float> values(64);
  void* to = values.data();
  int five = 0;
  void* to_five = &five;
  CHECK(device.call("cuModuleGetGlobal_v2", &table, &size, m.handle(), "g_table") == CUDA_SUCCESS);
  CHECK(device.call("cuMemcpyDtoH_v2", to, table, std::size_t{256}) == CUDA_SUCCESS);
  CHECK(values[63] == 126.f);
  CHECK(device.call("cuModuleGetGlobal_v2", &counter, &size, m.handle(), "g_counter") == CUDA_SUCCESS);
  CHECK(size == 4);
  CHECK(device.call("cuMemcpyDtoH_v2", to_five, counter, size) == CUDA_SUCCESS);
  CHECK(five == 5);
}

void atomics(const Module& m) {
  Buffer<int> ints(std::vector<int>{0, 0, 0, 0, -1, 0, 0, 0});
  Buffer<float> f(1);
  Buffer<double> d(1);
  Buffer<unsigned long long> l(1);
  Buffer<std::uint32_t> h(1), cas(1);
  f.zero(), d.zero(), l.zero(), h.zero(), cas.zero();
  CHECK(m.run("atomics", 4, 96, 0, ints.at(), f.at(), d.at(), l.at(), h.at(), cas.at()) == CUDA_SUCCESS);
  const int n = 4 * 96;
  int parity = 0;
  unsigned long long sum = 0;
  for (int i = 0; i < n; ++i) {
    parity ^= i;
    sum += static_cast<unsigned>(i);
  }
  CHECK(ints.values() == std::vector<int>{n, -50, n - 1, -1, static_cast<int>(0xffff0000), parity, 77, n % 10});
  CHECK(f.values()[0] == n * .5f);
  CHECK(d.values()[0] == n * .25);
  CHECK(l.values()[0] == sum);
  CHECK(h.values()[0] == (to_f16(n) | static_cast<std::uint32_t>(to_f16(2 * n)) << 16));
  CHECK(cas.values()[0] == 3u * n);
}

// Only right where atomics are, across workers.
void storm(const Module& m) {
  Buffer<unsigned> count(1);
  Buffer<float> sum(1);
  Buffer<unsigned long long> swapped(1);
  count.zero(), sum.zero(), swapped.zero();
  const unsigned grid = 512, block = 256;
  CHECK(m.run("atomic_storm", grid, block, 0, count.at(), sum.at(), swapped.at()) == CUDA_SUCCESS);
  CHECK(count.values()[0] == grid * block * 64);
  CHECK(sum.values()[0] == static_cast<float>(grid * block * 64));
  CHECK(swapped.values()[0] == grid * block);
}

void spin_lock(const Module& m) {
  Buffer<int> lock(1), count(1);
  lock.zero(), count.zero();
  CHECK(m.run("spinlock", 4, 64, 0, lock.at(), count.at()) == CUDA_SUCCESS);
  CHECK(count.values()[0] == 256);
}

}  // namespace

void check_warps(const Module& m) {
  std::vector<int> in(64);
  for (int& x : in) x = static_cast<int>(generator()() % 50);
  const Buffer<int> di(in), out(64 * 8);
  CHECK(m.run("warp_ops", 1, 64, 0, di.at(), out.at()) == CUDA_SUCCESS);
  std::vector<int> expected;
  for (int t = 0; t < 64; ++t) {
    const int l = t & 31;
    const int* v = &in[t & ~31];
    bool any = false, all = true;
    unsigned ballot = 0, match = 0;
    for (int k = 0; k < 32; ++k) {
      any |= v[k] == 7;
      all &= v[k] >= 0;
      ballot |= static_cast<unsigned>(v[k] & 1) << k;
      match |= static_cast<unsigned>((v[k] & 3) == (v[l] & 3)) << k;
    }
    for (const int e : {l >= 3 ? v[l - 3] : v[l], (l & 7) + 5 < 8 ? v[l + 5] : v[l], v[(l & 16) | ((l ^ 9) & 15)], any + 2 * all,
                        static_cast<int>(ballot), l < 12 ? v[l ^ 1] : v[12], static_cast<int>(match), 1}) {
      expected.push_back(e);
    }
  }
  CHECK(out.values() == expected);
}

void check_instructions(const Module& module) {
  integers_and_bits(module);
  globals(module);
  check_warps(module);
  atomics(module);
  storm(module);
  spin_lock(module);
}

}  // namespace ptxcpu_tests
