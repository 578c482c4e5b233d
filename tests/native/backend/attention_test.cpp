// Cases of attention_forward, attention_backward, kv_write and attention_cached.
#include <cmath>

#include "backend/attention_problem.h"

namespace namesake::test {

namespace {

// Measured on seeds 1-3: 7.8e-7, 1.7e-5 (backward with 129 positions; the others 1.8e-7, 2.5e-6).
constexpr Tolerance kTolerance{3e-6, 6e-5};

constexpr HeadShape kShapes[] = {{4, 2, 16}, {3, 3, 14}, {9, 3, 64}, {5, 1, 7}, {8, 2, 80}};

const std::vector<std::int64_t> kLengths{0, 1, 5, 129, 0, 1, 17, 64, 3, 0};

}  // namespace

TEST_CASE("attention agrees with the reference, with empty and one-token sequences") {
  for (HeadShape shape : kShapes) {
    for (bool causal : {true, false}) {
      const AttentionProblem p(shape, kLengths, causal);
      const std::string what = text(shape) + (causal ? " causal" : " full");
      check_agrees(what, [&](Backend& backend) { return p.forward(backend, 0, kLengths.size()); }, kTolerance);
      check_agrees(what + " backward", [&](Backend& backend) { return p.backward(backend, 0, kLengths.size()); },
                   kTolerance);
    }
  }
}

TEST_CASE("attention over nothing is nothing") {
  for (const auto& lengths : {std::vector<std::int64_t>{}, std::vector<std::int64_t>{0, 0}}) {
    const AttentionProblem p(kShapes[0], lengths, true);
    check_agrees("S=" + std::to_string(lengths.size()),
                 [&](Backend& backend) { return p.forward(backend, 0, lengths.size()); }, {0, 0});
    check_agrees("backward", [&](Backend& backend) { return p.backward(backend, 0, lengths.size()); }, {0, 0});
  }
}

TEST_CASE("attention stays finite with scores in the hundreds") {
  AttentionProblem p({4, 2, 16}, {33, 1}, true);
  for (float& value : p.q) value *= 40;
  check_agrees("scores of ±500", [&](Backend& backend) { return p.forward(backend, 0, 2); }, {1e-5, 2e-4});  // measured on seeds 1-6: 1.4e-6, 3.4e-5
}

TEST_CASE("a sequence's attention does not depend on the sequences beside it") {
  for (HeadShape shape : kShapes) {
    const AttentionProblem p(shape, kLengths, true);
    const auto check = [&](Backend& backend, const std::string& isa) {
      INFO("again: ", rerun_command(isa));
      const Outputs whole = p.forward(backend, 0, kLengths.size()), whole_back = p.backward(backend, 0, kLengths.size());
      for (std::size_t s = 0; s < kLengths.size(); ++s) {
        INFO(text(shape), " sequence ", s, " of length ", kLengths[s]);
        const std::int64_t begin = p.cu_seqlens[s], qw = shape.H * shape.D, kw = shape.G * shape.D;
        const Outputs alone = p.forward(backend, s, 1), alone_back = p.backward(backend, s, 1);
        CHECK(alone[0] == slice(whole[0], qw, begin, kLengths[s]));
        CHECK(alone[1] == slice(whole[1], shape.H, begin, kLengths[s]));
        CHECK(alone_back[0] == slice(whole_back[0], qw, begin, kLengths[s]));
        CHECK(alone_back[1] == slice(whole_back[1], kw, begin, kLengths[s]));
        CHECK(alone_back[2] == slice(whole_back[2], kw, begin, kLengths[s]));
      }
    };
    check(reference(), "scalar");
    for (const Subject& subject : subjects()) check(*subject.by_threads[1], subject.isa);
  }
}

TEST_CASE("attention_backward is the gradient of attention_forward") {
  for (bool causal : {true, false}) {
    AttentionProblem p({4, 2, 3}, {1, 4, 0, 2}, causal);
    const Outputs gradients = p.backward(reference(), 0, 4);
    const auto loss = [&] { return inner(p.do_, p.forward(reference(), 0, 4)[0]); };
    // Measured 6.9e-6: f32 rounding of o over the step.
    CHECK(gradient_error(p.q, gradients[0], loss) < 5e-5);
    CHECK(gradient_error(p.k, gradients[1], loss) < 5e-5);
    CHECK(gradient_error(p.v, gradients[2], loss) < 5e-5);
  }
}

TEST_CASE("attention_cached agrees with the reference at any slot and position") {
  for (HeadShape shape : kShapes) {
    for (std::int64_t M : {0, 1, 3, 17, 129}) {
      const CachedAttentionProblem p(shape, M);
      check_agrees(text(shape) + " M=" + std::to_string(M), [&](Backend& backend) { return p.run(backend, 0, M); },
                   kTolerance);
    }
  }
}

TEST_CASE("a row of attention_cached does not depend on the rows beside it") {
  for (HeadShape shape : kShapes) {
    const CachedAttentionProblem p(shape);
    check_rows_alone(text(shape), p.M, [&](Backend& backend, std::int64_t first, std::int64_t count) {
      return p.run(backend, first, count);
    });
  }
}

TEST_CASE("kv_write stores each row at its slot and position and touches nothing else") {
  const HeadShape shape{3, 3, 14};
  const std::int64_t slots = 4, capacity = 11, M = 5, width = shape.G * shape.D;
  Random random("kv_write");
  const auto k = random.normals(M * width), v = random.normals(M * width), before = random.normals(slots * capacity * width);
  const std::vector<std::int32_t> slot{3, 0, 3, 1, 2}, position{10, 0, 2, 5, 10};
  auto expected_k = before, expected_v = before;
  for (std::size_t m = 0; m < 5; ++m) {
    const auto at = (slot[m] * capacity + position[m]) * width;
    std::copy_n(k.begin() + std::int64_t(m) * width, width, expected_k.begin() + at);
    std::copy_n(v.begin() + std::int64_t(m) * width, width, expected_v.begin() + at);
  }
  const auto check = [&](Backend& backend) {
    Array ak(backend, k), av(backend, v), cache_k(backend, before), cache_v(backend, before);
    const KvView cache{cache_k.data(), cache_v.data(), capacity};
    REQUIRE(backend.kv_write(ak.data(), av.data(), slot.data(), position.data(), M, shape.G, shape.D, cache).ok());
    REQUIRE(backend.kv_write(ak.data(), av.data(), slot.data(), position.data(), 0, shape.G, shape.D, cache).ok());
    CHECK(cache_k.host() == expected_k);
    CHECK(cache_v.host() == expected_v);
  };
  check(reference());
  for (const Subject& subject : subjects()) {
    INFO("again: ", rerun_command(subject.isa));
    check(*subject.by_threads[1]);
  }
}

TEST_CASE("attention over the cache is attention over the sequence") {
  const HeadShape shape{9, 3, 64};
  const std::int64_t T = 37;
  const AttentionProblem p(shape, {T}, true);
  std::vector<std::int32_t> slot(T, 0), position;
  for (std::int32_t i = 0; i < T; ++i) position.push_back(i);
  const auto expected = p.forward(reference(), 0, 1)[0];
  check_agrees("T=37", [&](Backend& backend) {
    Array aq(backend, p.q), ak(backend, p.k), av(backend, p.v), o(backend, T * shape.H * shape.D);
    REQUIRE(backend
                .attention_cached(aq.data(), slot.data(), position.data(), T, attention_shape(shape, true),
                                  KvView{ak.data(), av.data(), T}, o.data())
                .ok());
    const auto actual = o.host();
    double worst = 0;
    for (std::size_t i = 0; i < actual.size(); ++i) worst = std::max(worst, std::fabs(double(actual[i]) - double(expected[i])));
    CHECK(worst < 2e-5);
    return Outputs{actual};
  }, kTolerance);
}

}  // namespace namesake::test
