// Cases of memory, cancellation and the choice of a backend.
#include <atomic>
#include <cstdint>
#include <iostream>

#include "backend/fixture.h"

namespace namesake::test {

namespace {

/// Runs check on the reference and on every subject.
void on_every_backend(const std::function<void(Backend&)>& check) {
  check(reference());
  for (const Subject& subject : subjects()) {
    INFO("again: ", rerun_command(subject.isa));
    check(*subject.by_threads[1]);
  }
}

}  // namespace

TEST_CASE("memory is zeroed, aligned to 64 bytes, and goes there and back") {
  on_every_backend([](Backend& backend) {
    for (std::size_t bytes : {std::size_t{0}, std::size_t{1}, std::size_t{63}, std::size_t{100000}}) {
      auto made = backend.allocate(bytes), other = backend.allocate(bytes);
      REQUIRE(made.ok());
      REQUIRE(other.ok());
      CHECK(reinterpret_cast<std::uintptr_t>(made.value()) % 64 == 0);
      std::vector<unsigned char> host(bytes, 1), sent(bytes);
      REQUIRE(backend.download(host.data(), made.value(), bytes).ok());
      CHECK(host == std::vector<unsigned char>(bytes, 0));
      for (std::size_t i = 0; i < bytes; ++i) sent[i] = static_cast<unsigned char>(i * 7 + 1);
      REQUIRE(backend.upload(made.value(), sent.data(), bytes).ok());
      REQUIRE(backend.copy(other.value(), made.value(), bytes).ok());
      REQUIRE(backend.zero(made.value(), bytes).ok());
      REQUIRE(backend.download(host.data(), other.value(), bytes).ok());
      CHECK(host == sent);
      REQUIRE(backend.download(host.data(), made.value(), bytes).ok());
      CHECK(host == std::vector<unsigned char>(bytes, 0));
      backend.release(made.value());
      backend.release(other.value());
    }
  });
}

#if defined(__SANITIZE_ADDRESS__)
TEST_CASE("more memory than there is gives memory.insufficient" * doctest::skip()) {}
#else
TEST_CASE("more memory than there is gives memory.insufficient") {
  on_every_backend([](Backend& backend) {
    const auto made = backend.allocate(std::size_t{1} << 50);
    REQUIRE_FALSE(made.ok());
    CHECK(made.status().code == Code::memory_insufficient);
  });
}
#endif

TEST_CASE("a raised flag cancels linear, attention and head_loss; a lowered one lets them run again") {
  on_every_backend([](Backend& backend) {
    const std::int64_t M = 129, C = 64, V = 500;
    Random random("cancel");
    const Blocks w(BlockType::q4_1, V, C, random);
    Array x(backend, random.normals(M * C)), y(backend, M * V), dx(backend, M * C), o(backend, M * C), lse(backend, M),
        weight(backend, std::vector<float>(M, 1.0f)), ce(backend, M);
    const std::vector<std::int32_t> borders{0, std::int32_t(M)}, targets(M, 3), slots(M, 0), positions(M, 12);
    const AttentionShape shape{1, 1, C, true, 0.125f};
    HeadLoss args;
    args.head = w.matrix();
    args.M = M;
    args.x = x.data();
    args.targets = targets.data();
    args.ce_weight = weight.data();
    args.ce = ce.data();
    args.dx = dx.data();
    const KvView cache{x.data(), x.data(), M};
    const auto codes = [&] {
      std::vector<Code> all;
      for (Phase phase : {Phase::prefill, Phase::decode}) {
        all.push_back(backend.linear_forward(w.matrix(), nullptr, nullptr, x.data(), M, nullptr, y.data(), nullptr, phase).code);
      }
      all.push_back(
          backend.linear_backward(w.matrix(), nullptr, x.data(), nullptr, y.data(), M, false, dx.data(), nullptr, nullptr).code);
      all.push_back(
          backend.attention_forward(x.data(), x.data(), x.data(), borders.data(), 1, shape, o.data(), lse.data()).code);
      all.push_back(backend.attention_cached(x.data(), slots.data(), positions.data(), M, shape, cache, o.data()).code);
      all.push_back(backend.head_loss(args).code);
      return all;
    };
    std::atomic<bool> flag{true};
    backend.set_cancel(&flag);
    CHECK(codes() == std::vector<Code>(6, Code::cancelled));
    flag = false;
    CHECK(codes() == std::vector<Code>(6, Code::ok));
    flag = true;
    backend.set_cancel(nullptr);
    CHECK(codes() == std::vector<Code>(6, Code::ok));
  });
}

TEST_CASE("backends say what they are") {
  CHECK(reference().name() == "reference");
  CHECK(reference().isa() == "scalar");
  CHECK(reference().threads() == 1);
  for (const Subject& subject : subjects()) {
    for (std::size_t i = 0; i < subject.by_threads.size(); ++i) {
      CHECK(subject.by_threads[i]->name() == "cpu");
      CHECK(subject.by_threads[i]->isa() == subject.isa);
      CHECK(subject.by_threads[i]->threads() == int(i) + 1);
    }
  }
}

TEST_CASE("auto is the best that this CPU has; what it has not is refused by name") {
  // vdpbf16ps is the faster product on AMD's CPUs and the slower one on Intel's: there it is not taken by itself.
#if defined(__x86_64__)
  const bool fast_bf16 = __builtin_cpu_is("amd");
#else
  const bool fast_bf16 = false;
#endif
  std::string best;
  for (const std::string isa : {"amxbf16", "avx512bf16", "avx512", "avx2", "neon", "scalar"}) {
    const auto made = make_cpu_backend(isa, 1);
    if (made.ok()) {
      CHECK(made.value()->isa() == isa);
      if (best.empty() && (fast_bf16 || isa != "avx512bf16")) best = isa;
    } else {
      CHECK(made.status().code == Code::isa_unsupported);
      CHECK(made.status().message.starts_with(isa + " "));
    }
  }
  CHECK(make_cpu_backend("auto", 1).value()->isa() == best);
#if defined(__aarch64__)
  CHECK(best == "neon");
#else
  CHECK_FALSE(make_cpu_backend("neon", 1).ok());
#endif
}

TEST_CASE("make_cpu_backend: auto finds one, 0 threads is all cores, an unknown isa is refused by name") {
  auto best = make_cpu_backend("auto", 0);
  REQUIRE(best.ok());
  CHECK(best.value()->threads() >= 1);
  const auto unknown = make_cpu_backend("mmx", 1);
  REQUIRE_FALSE(unknown.ok());
  CHECK(unknown.status().code == Code::isa_unsupported);
  CHECK(unknown.status().message.find("mmx") != std::string::npos);
}

}  // namespace namesake::test
