#include "backend/fixture.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <limits>

#include "backend/amx/tile_backends.h"
#include "formats/nf4.h"

namespace namesake::test {

namespace {

constexpr std::int64_t kGuard = 64;  // floats before and after an Array
constexpr float kPoison = std::numeric_limits<float>::quiet_NaN();

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
}

std::vector<Subject> make_subjects() {
  const char* only = std::getenv("BACKEND");
  std::vector<Subject> all;
  for (const char* isa : {"scalar", "avx2", "avx512", "avx512bf16", "amxbf16", kSoftTiles, "neon"}) {
    if (only && std::string(only) != isa) continue;
    Subject subject{isa, {}};
    for (int threads : {1, 2, 3}) {
      auto made = make_backend(isa, threads);
      if (!made.ok()) {
        if (made.status().code != Code::isa_unsupported) FAIL("cpu/", isa, ": ", made.status().message);
        std::cout << "skipped: backend cpu/" << isa << " (" << made.status().message << ")\n";
        break;
      }
      subject.by_threads.push_back(made.take());
    }
    if (!subject.by_threads.empty()) all.push_back(std::move(subject));
  }
  return all;
}

}  // namespace

void check_same_bits(const Outputs& actual, const Outputs& expected) {
  REQUIRE(actual.size() == expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i) {
    CAPTURE(i);
    CHECK(same_bits(actual[i], expected[i]));
  }
}

void check_close(const std::vector<float>& actual, const std::vector<float>& expected, Tolerance tolerance) {
  REQUIRE(actual.size() == expected.size());
  double error = 0, norm = 0, worst = 0;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const double e = double(actual[i]) - double(expected[i]);
    error += e * e;
    norm += double(expected[i]) * double(expected[i]);
    worst = std::isnan(e) ? std::numeric_limits<double>::infinity() : std::max(worst, std::fabs(e));
  }
  const double n = double(std::max<std::size_t>(actual.size(), 1)), rms = std::max(std::sqrt(norm / n), tolerance.floor);
  // An output that is all zeros must be zeros; its root mean square would divide by nothing.
  const double scale = rms > 0 ? rms : 1, relative_l2 = std::sqrt(error / n) / scale, max_over_rms = worst / scale;
  if (std::getenv("SHOW_ERRORS")) {
    std::cout << doctest::getContextOptions()->currentTest->m_name << ": " << relative_l2 << " " << max_over_rms << " rms " << rms << "\n";
  }
  CHECK(relative_l2 <= tolerance.relative_l2);
  CHECK(max_over_rms <= tolerance.max_over_rms);
}

std::uint64_t run_seed() {
  static const std::uint64_t seed = [] {
    const char* given = std::getenv("SEED");
    const std::uint64_t value = given ? std::strtoull(given, nullptr, 10) : 1;
    std::cout << "seed: SEED=" << value << "\n";
    return value;
  }();
  return seed;
}

Random::Random(const std::string& name) : state_(run_seed()) {
  for (unsigned char c : name) state_ = bits() ^ c;
}

std::uint64_t Random::bits() {
  std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

std::int64_t Random::integer(std::int64_t low, std::int64_t high) {
  return low + static_cast<std::int64_t>(bits() % static_cast<std::uint64_t>(high - low));
}

float Random::normal(float deviation) {
  double sum = -6;  // twelve uniforms: mean 6, variance 1
  for (int i = 0; i < 12; ++i) sum += double(bits() >> 11) * 0x1p-53;
  return float(std::round(sum * double(deviation) * 4096) / 4096);
}

std::vector<float> Random::normals(std::int64_t n, float deviation) {
  std::vector<float> values(static_cast<std::size_t>(n));
  for (float& value : values) value = normal(deviation);
  return values;
}

Array::Array(Backend& backend, std::int64_t n) : Array(backend, std::vector<float>(static_cast<std::size_t>(n), kPoison)) {}

Array::Array(Backend& backend, const std::vector<float>& host)
    : backend_(backend), n_(static_cast<std::int64_t>(host.size())) {
  std::vector<float> all(static_cast<std::size_t>(n_ + 2 * kGuard), kPoison);
  std::copy(host.begin(), host.end(), all.begin() + kGuard);
  auto made = backend_.allocate(all.size() * sizeof(float));
  REQUIRE(made.ok());
  memory_ = static_cast<float*>(made.value());
  data_ = memory_ + kGuard;
  REQUIRE(backend_.upload(memory_, all.data(), all.size() * sizeof(float)).ok());
}

Array::~Array() {
  std::vector<float> all(static_cast<std::size_t>(n_ + 2 * kGuard));
  CHECK(backend_.download(all.data(), memory_, all.size() * sizeof(float)).ok());
  bool intact = true;
  for (std::int64_t i = 0; i < kGuard; ++i) {
    for (std::int64_t at : {i, kGuard + n_ + i}) {
      intact &= std::bit_cast<std::uint32_t>(all[static_cast<std::size_t>(at)]) == std::bit_cast<std::uint32_t>(kPoison);
    }
  }
  CHECK_MESSAGE(intact, "an op wrote outside its array");
  backend_.release(memory_);
}

std::vector<float> Array::host() const {
  std::vector<float> values(static_cast<std::size_t>(n_));
  REQUIRE(backend_.download(values.data(), data_, values.size() * sizeof(float)).ok());
  return values;
}

Integers::Integers(Backend& backend, const std::vector<std::int32_t>& host) : backend_(backend) {
  std::vector<std::int32_t> all(host.size() + 2 * kGuard, std::numeric_limits<std::int32_t>::min());
  std::copy(host.begin(), host.end(), all.begin() + kGuard);
  auto made = backend_.allocate(all.size() * sizeof(std::int32_t));
  REQUIRE(made.ok());
  memory_ = static_cast<std::int32_t*>(made.value());
  REQUIRE(backend_.upload(memory_, all.data(), all.size() * sizeof(std::int32_t)).ok());
}

std::int64_t whole_blocks(BlockType type, std::int64_t cols) {
  const std::int64_t values = block_format(type).values_per_block;
  return (cols + values - 1) / values * values;
}

Blocks::Blocks(BlockType type, std::int64_t rows, std::int64_t cols, Random& random) {
  const std::size_t bytes = static_cast<std::size_t>(rows * row_bytes(type, cols)), guard = 64;
  memory_.assign(bytes + 3 * guard, std::byte{0xff});
  std::byte* data = memory_.data() + guard;
  while (reinterpret_cast<std::uintptr_t>(data) % 64 != 32) ++data;
  matrix_ = {type, rows, cols, data, nullptr};

  // Half-precision numbers of about 1/8, in any mantissa and (where wanted) sign.
  const auto half = [&](bool with_sign) {
    const std::uint64_t b = random.bits();
    return std::uint16_t((with_sign ? (b & 0x8000) : 0) | ((11 + (b >> 20) % 2) << 10) | (b & 0x3ff));
  };
  const auto put = [&](auto value) {
    std::memcpy(data, &value, sizeof value);
    data += sizeof value;
  };
  const auto put_random = [&](int bytes) {
    for (int part = 0; part < bytes; ++part) put(static_cast<std::uint8_t>(random.bits()));
  };
  const std::int64_t blocks = rows * cols / block_format(type).values_per_block;
  for (std::int64_t i = 0; i < blocks; ++i) {
    switch (type) {
      case BlockType::f32: put(random.normal(0.25f)); break;
      case BlockType::f16: put(half(true)); break;
      case BlockType::bf16: put(f32_to_bf16(random.normal(0.25f))); break;
      case BlockType::q4_0:  // scale, 32 nibbles
      case BlockType::q4_1:  // scale, least value, 32 nibbles
        put(std::uint16_t(half(true) - (2 << 10)));
        if (type == BlockType::q4_1) put(half(true));
        put_random(16);
        break;
      case BlockType::q5_0:  // scale, 32 fifth bits, 32 nibbles
      case BlockType::q5_1:  // scale, least value, the same
        put(std::uint16_t(half(true) - (3 << 10)));
        if (type == BlockType::q5_1) put(half(true));
        put_random(20);
        break;
      case BlockType::q8_0:  // scale, 32 signed bytes
        put(std::uint16_t(half(false) - (6 << 10)));
        put_random(32);
        break;
      case BlockType::q4_k:  // scale of scales, scale of least values, scales, 256 nibbles
      case BlockType::q5_k:  // the same with 256 fifth bits before the nibbles
        put(std::uint16_t(half(true) - (7 << 10)));
        put(std::uint16_t(half(true) - (4 << 10)));
        put_random(type == BlockType::q4_k ? 12 + 128 : 12 + 32 + 128);
        break;
      case BlockType::q6_k:  // 256 nibbles, 256 pairs of bits, 16 signed scales, scale of scales
        put_random(128 + 64 + 16);
        put(std::uint16_t(half(true) - (9 << 10)));
        break;
      case BlockType::nf4: put_random(32); break;  // 64 nibbles
    }
  }
  if (type == BlockType::nf4) make_scales(random);
}

void Blocks::make_scales(Random& random) {
  scales_ = std::make_shared<Scales>();
  const Nf4Shape shape{matrix_.rows, matrix_.cols};
  for (std::int64_t i = 0; i < shape.blocks(); ++i) scales_->absmax.push_back(static_cast<std::uint8_t>(random.bits()));
  for (std::int64_t i = 0; i < shape.nested(); ++i) scales_->nested.push_back(0.1f + std::fabs(random.normal(0.1f)));
  scales_->view = {scales_->absmax.data(), scales_->nested.data(), 0.3f};
  matrix_.nf4 = &scales_->view;
}

Backend& reference() {
  static const std::unique_ptr<Backend> backend = make_reference_backend();
  return *backend;
}

const std::vector<Subject>& subjects() {
  static const std::vector<Subject> all = make_subjects();
  return all;
}

std::string rerun_command(const std::string& isa) {
  std::string name = doctest::getContextOptions()->currentTest->m_name;
  for (std::size_t at = 0; (at = name.find(',', at)) != std::string::npos; at += 2) name.insert(at, "\\");
  return "SEED=" + std::to_string(run_seed()) + (isa.empty() ? "" : " BACKEND=" + isa) +
         " native/build/release/namesake_tests -tc=\"" + name + "\"";
}

bool rounds_products(const Subject& subject) { return rounds_products(subject.isa); }

void check_agrees(const std::string& what, const std::function<Outputs(Backend&)>& run, Tolerance tolerance,
                  std::optional<Tolerance> rounded) {
  const Outputs expected = run(reference());
  for (const Subject& subject : subjects()) {
    Outputs one_thread;
    for (const auto& backend : subject.by_threads) {
      const int threads = backend->threads();
      INFO("again: ", rerun_command(subject.isa));
      INFO(what, " on cpu/", subject.isa, " with threads = ", threads);
      const Outputs actual = run(*backend);
      REQUIRE(actual.size() == expected.size());
      if (one_thread.empty()) {
        for (std::size_t i = 0; i < actual.size(); ++i) {
          CAPTURE(i);
          check_close(actual[i], expected[i], rounded && rounds_products(subject) ? *rounded : tolerance);
        }
        one_thread = actual;
      } else {
        check_same_bits(actual, one_thread);
      }
    }
  }
}

void check_rows_alone(const std::string& what, std::int64_t M,
                      const std::function<Outputs(Backend&, std::int64_t, std::int64_t)>& run) {
  const auto check = [&](Backend& backend, const std::string& isa) {
    INFO("again: ", rerun_command(isa));
    const Outputs whole = run(backend, 0, M);
    const std::pair<std::int64_t, std::int64_t> parts[] = {{0, 1},     {1, 1},     {7, 1},  {M / 2, 1}, {M - 1, 1},
                                                           {M - 2, 2}, {M / 3, 5}, {2, 16}, {1, M - 1}};
    for (auto [first, count] : parts) {
      INFO(what, " on ", backend.name(), "/", isa, ": rows ", first, " + ", count, " of ", M);
      const Outputs alone = run(backend, first, count);
      Outputs expected;
      for (const auto& output : whole) {
        expected.push_back(slice(output, static_cast<std::int64_t>(output.size()) / M, first, count));
      }
      check_same_bits(alone, expected);
    }
  };
  check(reference(), "scalar");
  for (const Subject& subject : subjects()) check(*subject.by_threads[1], subject.isa);
}

double gradient_error(std::vector<float>& x, const std::vector<float>& gradient, const std::function<double()>& loss) {
  REQUIRE(x.size() == gradient.size());
  constexpr float kStep = 0x1p-5f;
  double error = 0, norm = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const float middle = x[i];
    const auto at = [&](float steps) {
      x[i] = middle + steps * kStep;
      return loss();
    };
    const double numeric = (8 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12 * double(kStep));
    x[i] = middle;
    error += (double(gradient[i]) - numeric) * (double(gradient[i]) - numeric);
    norm += numeric * numeric;
  }
  const double relative = std::sqrt(error / norm);
  if (std::getenv("SHOW_ERRORS")) {
    std::cout << doctest::getContextOptions()->currentTest->m_name << ": gradient " << relative << "\n";
  }
  return relative;
}

double inner(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += double(a[i]) * double(b[i]);
  return sum;
}

}  // namespace namesake::test
