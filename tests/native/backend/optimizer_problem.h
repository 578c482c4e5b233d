// Problems of adamw and adamw_8bit, for any backend.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "backend/fixture.h"
#include "formats/dynamic_map.h"
#include "formats/safetensors.h"

namespace namesake::test {

/// n values in mid-training: with decay at the second step, clipped from then on.
struct AdamWProblem {
  AdamWProblem(std::int64_t n, std::int64_t step)
      : random("adamw " + std::to_string(n) + " " + std::to_string(step)), grad(random.normals(n)), value(random.normals(n, 0.1f)),
        m(random.normals(n, 0.1f)), v(random.normals(n, 0.1f)) {
    for (float& x : v) x = std::fabs(x);
    if (n > 3) v[1] = 0;
    options.lr = 1e-3f;
    options.weight_decay = step == 2 ? 0.1f : 0;
    options.step = step;
    options.grad_scale = step == 1 ? 1 : 0.3f;
  }

  /// value, m, v after the step.
  Outputs run(Backend& backend, std::int64_t first, std::int64_t count) const {
    Array ag(backend, slice(grad, 1, first, count)), avalue(backend, slice(value, 1, first, count)),
        am(backend, slice(m, 1, first, count)), av(backend, slice(v, 1, first, count));
    REQUIRE(backend.adamw(options, count, ag.data(), avalue.data(), am.data(), av.data()).ok());
    return {avalue.host(), am.host(), av.host()};
  }

  Random random;
  std::vector<float> grad, value, m, v;
  AdamW options;
};

/// Codes in backend memory between two guards.
class Codes {
 public:
  Codes(Backend& backend, const std::vector<std::uint8_t>& host) : backend_(backend), n_(host.size()) {
    std::vector<std::uint8_t> all(n_ + 2 * kGuard, kMark);
    std::copy(host.begin(), host.end(), all.begin() + kGuard);
    auto made = backend_.allocate(all.size());
    REQUIRE(made.ok());
    memory_ = static_cast<std::uint8_t*>(made.value());
    REQUIRE(backend_.upload(memory_, all.data(), all.size()).ok());
  }
  ~Codes() {
    const std::vector<std::uint8_t> all = download(0, n_ + 2 * kGuard);
    CHECK_MESSAGE(std::count(all.begin(), all.begin() + kGuard, kMark) == kGuard, "an op wrote before its codes");
    CHECK_MESSAGE(std::count(all.end() - kGuard, all.end(), kMark) == kGuard, "an op wrote behind its codes");
    backend_.release(memory_);
  }
  Codes(const Codes&) = delete;
  Codes& operator=(const Codes&) = delete;

  std::uint8_t* data() const { return memory_ + kGuard; }
  std::vector<std::uint8_t> host() const { return download(kGuard, n_); }

 private:
  static constexpr std::int64_t kGuard = 64;
  static constexpr std::uint8_t kMark = 0xa5;

  std::vector<std::uint8_t> download(std::int64_t first, std::size_t count) const {
    std::vector<std::uint8_t> bytes(count);
    REQUIRE(backend_.download(bytes.data(), memory_ + first, count).ok());
    return bytes;
  }

  Backend& backend_;
  std::size_t n_;
  std::uint8_t* memory_ = nullptr;
};

/// A moment in 8 bits on the host.
struct HostMoment {
  std::vector<std::uint8_t> codes;
  std::vector<float> absmax;

  /// Of n values: zeros, as training begins.
  explicit HostMoment(std::int64_t n)
      : codes(static_cast<std::size_t>(n)), absmax(static_cast<std::size_t>((n + kDynamicBlock - 1) / kDynamicBlock)) {}
  HostMoment(const DynamicMap& map, const std::vector<float>& values) : HostMoment(static_cast<std::int64_t>(values.size())) {
    const std::int64_t n = static_cast<std::int64_t>(values.size());
    for (std::int64_t at = 0, block = 0; at < n; at += kDynamicBlock, ++block) {
      absmax[static_cast<std::size_t>(block)] =
          encode_dynamic_block(map, values.data() + at, std::min(kDynamicBlock, n - at), codes.data() + at);
    }
  }
};

/// AdamWProblem with moments in 8 bits.
struct AdamW8BitProblem {
  AdamW8BitProblem(std::int64_t n, std::int64_t step)
      : plain(n, step), m(signed_dynamic_map(), plain.m), v(unsigned_dynamic_map(), plain.v) {}

  struct After {
    std::vector<float> value, m_absmax, v_absmax;
    std::vector<std::uint8_t> m_codes, v_codes;

    Outputs floats() const { return {value, m_absmax, v_absmax}; }
    Outputs codes() const { return {{m_codes.begin(), m_codes.end()}, {v_codes.begin(), v_codes.end()}}; }
    Outputs all() const {
      Outputs all = floats();
      for (const auto& each : codes()) all.push_back(each);
      return all;
    }
  };

  /// `count` values from `first` on, which begins a block.
  After run(Backend& backend, std::int64_t first, std::int64_t count) const {
    const std::int64_t block = first / kDynamicBlock, blocks = (count + kDynamicBlock - 1) / kDynamicBlock;
    Array ag(backend, slice(plain.grad, 1, first, count)), avalue(backend, slice(plain.value, 1, first, count));
    Codes mc(backend, slice(m.codes, 1, first, count)), vc(backend, slice(v.codes, 1, first, count));
    Array ma(backend, slice(m.absmax, 1, block, blocks)), va(backend, slice(v.absmax, 1, block, blocks));
    REQUIRE(backend.adamw_8bit(plain.options, count, ag.data(), avalue.data(), mc.data(), ma.data(), vc.data(), va.data()).ok());
    return {avalue.host(), ma.host(), va.host(), mc.host(), vc.host()};
  }

  /// Blocks first..first+count-1: all that adamw_8bit writes, rows of a block each.
  Outputs run_blocks(Backend& backend, std::int64_t first, std::int64_t count) const {
    return run(backend, first * kDynamicBlock, count * kDynamicBlock).all();
  }

  AdamWProblem plain;
  HostMoment m, v;
};

/// A value whose scaled moment lies on a bound may have the neighbouring code: one step of at most 255 on codes of about 150. All of
/// them a step off would be 6e-3 of the whole.
inline constexpr Tolerance kNeighbouringCodes{2e-3, 1e-2};

/// bitsandbytes' ten steps (golden/states8.safetensors) on `backend`, and how far its results are from them.
inline void check_follows_bitsandbytes(Backend& backend) {
  const auto read = read_safetensors(NAMESAKE_FIXTURES "/golden/states8.safetensors");
  REQUIRE(read.ok());
  const auto golden = [&](const std::string& name) -> const std::vector<float>& { return read.value().tensors.at(name).data; };
  const std::int64_t n = static_cast<std::int64_t>(golden("value").size());
  Array value(backend, golden("value"));
  const HostMoment zeros(n);
  Codes m_codes(backend, zeros.codes), v_codes(backend, zeros.codes);
  Array m_absmax(backend, zeros.absmax), v_absmax(backend, zeros.absmax);
  AdamW options;
  options.weight_decay = 0.01f;
  const auto check_codes = [&](const std::string& name, const Codes& actual) {
    CAPTURE(name);
    const std::vector<std::uint8_t> codes = actual.host();
    const std::vector<float>& expected = golden(name);
    REQUIRE(codes.size() == expected.size());
    int differ = 0, most = 0;
    for (std::size_t i = 0; i < codes.size(); ++i) {
      const int off = std::abs(int(codes[i]) - int(expected[i]));
      differ += off != 0;
      most = std::max(most, off);
    }
    // Of 5,271; measured 0. A value next to a bound may be put on its other side by another rounding.
    CHECK(most <= 1);
    CHECK(differ <= 3);
  };
  for (options.step = 1; options.step <= 10; ++options.step) {
    options.lr = golden("lrs")[static_cast<std::size_t>(options.step - 1)];
    Array grad(backend, slice(golden("grads"), n, options.step - 1, 1));
    REQUIRE(backend.adamw_8bit(options, n, grad.data(), value.data(), m_codes.data(), m_absmax.data(), v_codes.data(), v_absmax.data()).ok());
    if (options.step != 1 && options.step != 10) continue;
    const std::string step = std::to_string(options.step);
    check_codes("m_codes." + step, m_codes);
    check_codes("v_codes." + step, v_codes);
    check_close(m_absmax.host(), golden("m_absmax." + step), {1e-6, 1e-6});
    check_close(v_absmax.host(), golden("v_absmax." + step), {2e-5, 5e-5});  // 1.3e-5: 1 - 0.999 is less where 0.999 is an f32
    check_close(value.host(), golden("value." + step), {1e-6, 1e-5});
  }
}

}  // namespace namesake::test
