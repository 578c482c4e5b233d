// Cases of attention_forward, attention_backward, kv_write and attention_cached.
#include <cmath>
#include <sstream>

#include "backend/fixture.h"

namespace namesake::test {

namespace {

// Measured on seeds 1-3: 7.8e-7, 1.7e-5 (backward with 129 positions; the others 1.8e-7, 2.5e-6).
constexpr Tolerance kTolerance{3e-6, 6e-5};

struct Shape {
  std::int64_t H, G, D;
};
constexpr Shape kShapes[] = {{4, 2, 16}, {3, 3, 14}, {9, 3, 64}, {5, 1, 7}};

std::string text(Shape s) {
  std::ostringstream out;
  out << "H=" << s.H << " G=" << s.G << " D=" << s.D;
  return out.str();
}

AttentionShape attention_shape(Shape s, bool causal) {
  return {s.H, s.G, s.D, causal, float(1 / std::sqrt(double(s.D)))};
}

struct Problem {
  Problem(Shape s, std::vector<std::int64_t> sequence_lengths, bool is_causal)
      : shape(s), lengths(std::move(sequence_lengths)), causal(is_causal), random("attention " + text(s)) {
    cu_seqlens.push_back(0);
    for (std::int64_t length : lengths) cu_seqlens.push_back(std::int32_t(cu_seqlens.back() + length));
    M = cu_seqlens.back();
    q = random.normals(M * s.H * s.D, 1.5f);
    k = random.normals(M * s.G * s.D, 1.5f);
    v = random.normals(M * s.G * s.D);
    do_ = random.normals(M * s.H * s.D);
  }

  /// Sequences first..first+count-1 as a batch of their own: o, lse.
  Outputs forward(Backend& backend, std::size_t first, std::size_t count) const {
    const auto [begin, rows, borders] = part(first, count);
    Array aq(backend, slice(q, shape.H * shape.D, begin, rows)), ak(backend, slice(k, shape.G * shape.D, begin, rows)),
        av(backend, slice(v, shape.G * shape.D, begin, rows)), o(backend, rows * shape.H * shape.D),
        lse(backend, rows * shape.H);
    REQUIRE(backend
                .attention_forward(aq.data(), ak.data(), av.data(), borders.data(), std::int64_t(count),
                                   attention_shape(shape, causal), o.data(), lse.data())
                .ok());
    return {o.host(), lse.host()};
  }

  /// dq, dk, dv.
  Outputs backward(Backend& backend, std::size_t first, std::size_t count) const {
    const auto [begin, rows, borders] = part(first, count);
    const Outputs made = forward(reference(), first, count);
    const std::int64_t qw = shape.H * shape.D, kw = shape.G * shape.D;
    Array ado(backend, slice(do_, qw, begin, rows)), aq(backend, slice(q, qw, begin, rows)),
        ak(backend, slice(k, kw, begin, rows)), av(backend, slice(v, kw, begin, rows)), o(backend, made[0]),
        lse(backend, made[1]), dq(backend, rows * qw), dk(backend, rows * kw), dv(backend, rows * kw);
    REQUIRE(backend
                .attention_backward(ado.data(), aq.data(), ak.data(), av.data(), o.data(), lse.data(), borders.data(),
                                    std::int64_t(count), attention_shape(shape, causal), dq.data(), dk.data(), dv.data())
                .ok());
    return {dq.host(), dk.host(), dv.host()};
  }

  struct Part {
    std::int64_t begin, rows;
    std::vector<std::int32_t> borders;
  };
  Part part(std::size_t first, std::size_t count) const {
    Part p{cu_seqlens[first], cu_seqlens[first + count] - cu_seqlens[first], {}};
    for (std::size_t i = first; i <= first + count; ++i) p.borders.push_back(cu_seqlens[i] - cu_seqlens[first]);
    return p;
  }

  Shape shape;
  std::vector<std::int64_t> lengths;
  bool causal;
  Random random;
  std::int64_t M = 0;
  std::vector<std::int32_t> cu_seqlens;
  std::vector<float> q, k, v, do_;
};

const std::vector<std::int64_t> kLengths{0, 1, 5, 129, 0, 1, 17, 64, 3, 0};

/// Rows of several sequences in a cache: slots and positions in no order, and what the cache holds.
struct CachedProblem {
  explicit CachedProblem(Shape s, std::int64_t rows = 129) : shape(s), M(rows), random("cached " + text(s)) {
    q = random.normals(M * s.H * s.D, 1.5f);
    k = random.normals(kSlots * kCapacity * s.G * s.D, 1.5f);
    v = random.normals(kSlots * kCapacity * s.G * s.D);
    for (std::int64_t m = 0; m < M; ++m) {
      slots.push_back(std::int32_t(random.integer(0, kSlots)));
      positions.push_back(std::int32_t(m == 0 ? 0 : m == 1 ? kCapacity - 1 : random.integer(0, kCapacity)));
    }
  }

  Outputs run(Backend& backend, std::int64_t first, std::int64_t count) const {
    Array aq(backend, slice(q, shape.H * shape.D, first, count)), ak(backend, k), av(backend, v),
        o(backend, count * shape.H * shape.D);
    const KvView cache{ak.data(), av.data(), kCapacity};
    REQUIRE(backend
                .attention_cached(aq.data(), slots.data() + first, positions.data() + first, count,
                                  attention_shape(shape, true), cache, o.data())
                .ok());
    return {o.host()};
  }

  static constexpr std::int64_t kSlots = 5, kCapacity = 75;
  Shape shape;
  std::int64_t M;
  Random random;
  std::vector<float> q, k, v;
  std::vector<std::int32_t> slots, positions;
};

}  // namespace

TEST_CASE("attention agrees with the reference, with empty and one-token sequences") {
  for (Shape shape : kShapes) {
    for (bool causal : {true, false}) {
      const Problem p(shape, kLengths, causal);
      const std::string what = text(shape) + (causal ? " causal" : " full");
      check_agrees(what, [&](Backend& backend) { return p.forward(backend, 0, kLengths.size()); }, kTolerance);
      check_agrees(what + " backward", [&](Backend& backend) { return p.backward(backend, 0, kLengths.size()); },
                   kTolerance);
    }
  }
}

TEST_CASE("attention over nothing is nothing") {
  for (const auto& lengths : {std::vector<std::int64_t>{}, std::vector<std::int64_t>{0, 0}}) {
    const Problem p(kShapes[0], lengths, true);
    check_agrees("S=" + std::to_string(lengths.size()),
                 [&](Backend& backend) { return p.forward(backend, 0, lengths.size()); }, {0, 0});
    check_agrees("backward", [&](Backend& backend) { return p.backward(backend, 0, lengths.size()); }, {0, 0});
  }
}

TEST_CASE("attention stays finite with scores in the hundreds") {
  Problem p({4, 2, 16}, {33, 1}, true);
  for (float& value : p.q) value *= 40;
  check_agrees("scores of ±500", [&](Backend& backend) { return p.forward(backend, 0, 2); }, {1e-5, 2e-4});  // measured on seeds 1-6: 1.4e-6, 3.4e-5
}

TEST_CASE("a sequence's attention does not depend on the sequences beside it") {
  for (Shape shape : kShapes) {
    const Problem p(shape, kLengths, true);
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
    Problem p({4, 2, 3}, {1, 4, 0, 2}, causal);
    const Outputs gradients = p.backward(reference(), 0, 4);
    const auto loss = [&] { return inner(p.do_, p.forward(reference(), 0, 4)[0]); };
    // Measured 6.9e-6: f32 rounding of o over the step.
    CHECK(gradient_error(p.q, gradients[0], loss) < 5e-5);
    CHECK(gradient_error(p.k, gradients[1], loss) < 5e-5);
    CHECK(gradient_error(p.v, gradients[2], loss) < 5e-5);
  }
}

TEST_CASE("attention_cached agrees with the reference at any slot and position") {
  for (Shape shape : kShapes) {
    for (std::int64_t M : {0, 1, 3, 17, 129}) {
      const CachedProblem p(shape, M);
      check_agrees(text(shape) + " M=" + std::to_string(M), [&](Backend& backend) { return p.run(backend, 0, M); },
                   kTolerance);
    }
  }
}

TEST_CASE("a row of attention_cached does not depend on the rows beside it") {
  for (Shape shape : kShapes) {
    const CachedProblem p(shape);
    check_rows_alone(text(shape), p.M, [&](Backend& backend, std::int64_t first, std::int64_t count) {
      return p.run(backend, first, count);
    });
  }
}

TEST_CASE("kv_write stores each row at its slot and position and touches nothing else") {
  const Shape shape{3, 3, 14};
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
  const Shape shape{9, 3, 64};
  const std::int64_t T = 37;
  const Problem p(shape, {T}, true);
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
