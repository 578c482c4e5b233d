// Attention of the cuda backend against the reference.
#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "backend/attention_problem.h"
#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/cuda_fixture.h"

TEST_SUITE_BEGIN("cuda");

namespace namesake::test {

namespace {

using Lengths = std::vector<std::int64_t>;

// f32. Measured on seeds 1-3: 1.7e-7, 1.9e-6.
constexpr Tolerance kCachedTolerance{1e-6, 1e-5};

/// Nearest value with eight significant bits, which f16 holds.
float rounded(float x) {
  int exponent = 0;
  const float fraction = std::frexp(x, &exponent);
  return std::ldexp(std::nearbyint(fraction * 256), exponent - 8);
}

/// With inputs that 16 bits hold, what is left are the roundings of weights and of their gradients. Otherwise those of the inputs add
/// to them: of queries and keys, times the size of the scores.
AttentionProblem problem(HeadShape shape, const Lengths& lengths, bool causal, bool exact) {
  AttentionProblem p(shape, lengths, causal);
  if (!exact) return p;
  for (auto* values : {&p.q, &p.k, &p.v, &p.do_}) {
    for (float& value : *values) value = rounded(value);
  }
  return p;
}

// Measured on seeds 1-3: exact 8.8e-5, 7.0e-4; otherwise 4.8e-4, 5.1e-3.
Tolerance forward_tolerance(bool exact) { return exact ? Tolerance{2e-4, 2e-3} : Tolerance{1e-3, 1.2e-2}; }

// Measured on seeds 1-3: exact 2.5e-4, 4.7e-3; otherwise 1.1e-3, 1.2e-2.
Tolerance backward_tolerance(bool exact) { return exact ? Tolerance{6e-4, 1e-2} : Tolerance{2e-3, 2.5e-2}; }

void check_problem(const AttentionProblem& p, bool exact) {
  const std::string what = text(p.shape) + (p.causal ? " causal" : " full") + (exact ? " exact" : "");
  const std::size_t S = p.lengths.size();
  // Sums of softmax see no rounded weights: measured 6.0e-8, 3.6e-7.
  const Tolerance output = forward_tolerance(exact), sums = exact ? Tolerance{5e-7, 3e-6} : output;
  check_cuda(what, [&](Backend& backend) { return p.forward(backend, 0, S); }, {output, sums});
  check_cuda(what + " backward", [&](Backend& backend) { return p.backward(backend, 0, S); }, backward_tolerance(exact));
}

bool all_finite(const std::vector<float>& x) {
  return std::all_of(x.begin(), x.end(), [](float value) { return std::isfinite(value); });
}

}  // namespace

TEST_CASE("cuda: attention agrees with the reference at every length of a sequence") {
  if (cuda_backend() == nullptr) return;
  const Lengths lengths{0, 1, 17, 63, 0, 64, 65, 129, 0};
  for (bool causal : {true, false}) check_problem(problem({3, 1, 16}, lengths, causal, true), true);
  check_problem(problem({1, 1, 128}, lengths, true, false), false);
}

TEST_CASE("cuda: attention agrees with the reference at every head size and group") {
  if (cuda_backend() == nullptr) return;
  for (HeadShape shape : {HeadShape{3, 3, 32}, {9, 3, 64}, {3, 1, 96}, {2, 1, 128}, {5, 1, 7}, {2, 2, 14}, {1, 1, 48}, {2, 1, 66}}) {
    check_problem(problem(shape, {33, 1, 66}, true, true), true);
  }
  check_problem(problem({2, 1, 128}, {70}, false, true), true);
  check_problem(problem({2, 1, 64}, {70}, true, false), false);
}

TEST_CASE("cuda: attention over nothing is nothing") {
  for (const Lengths& lengths : {Lengths{}, Lengths{0, 0}}) {
    const AttentionProblem p({4, 2, 16}, lengths, true);
    check_cuda("forward", [&](Backend& backend) { return p.forward(backend, 0, lengths.size()); }, {0, 0});
    check_cuda("backward", [&](Backend& backend) { return p.backward(backend, 0, lengths.size()); }, {0, 0});
  }
}

TEST_CASE("cuda: attention stays finite with scores in the hundreds") {
  if (cuda_backend() == nullptr) return;
  AttentionProblem p = problem({4, 2, 16}, {65, 1}, true, true);
  for (float& value : p.q) value *= 32;
  // Measured on seeds 1-3: 1.9e-5, 2.8e-4; backward 2.6e-4, 5.5e-3.
  check_cuda("scores of ±500", [&](Backend& backend) { return p.forward(backend, 0, 2); }, {1e-4, 1e-3});
  check_cuda("backward", [&](Backend& backend) { return p.backward(backend, 0, 2); }, {1e-3, 1.5e-2});
}

TEST_CASE("cuda: a sequence's attention does not depend on the sequences beside it") {
  Backend* const backend = cuda_backend();
  if (backend == nullptr) return;
  const Lengths lengths{0, 65, 1, 3, 70, 0};
  for (HeadShape shape : {HeadShape{4, 2, 16}, {2, 1, 70}}) {
    for (bool causal : {true, false}) {
      const AttentionProblem p(shape, lengths, causal);
      const Outputs whole = p.forward(*backend, 0, lengths.size()), whole_back = p.backward(*backend, 0, lengths.size());
      for (std::size_t s = 0; s < lengths.size(); ++s) {
        INFO(text(shape), causal ? " causal" : " full", " sequence ", s, " of length ", lengths[s]);
        const std::int64_t begin = p.cu_seqlens[s], qw = shape.H * shape.D, kw = shape.G * shape.D;
        const Outputs alone = p.forward(*backend, s, 1), alone_back = p.backward(*backend, s, 1);
        check_same_bits(alone, {slice(whole[0], qw, begin, lengths[s]), slice(whole[1], shape.H, begin, lengths[s])});
        check_same_bits(alone_back, {slice(whole_back[0], qw, begin, lengths[s]), slice(whole_back[1], kw, begin, lengths[s]),
                                     slice(whole_back[2], kw, begin, lengths[s])});
      }
    }
  }
}

TEST_CASE("cuda: attention that is cut into more launches has the same bits") {
  if (cuda_backend() == nullptr) return;
  auto& backend = dynamic_cast<cuda::CudaBackend&>(*cuda_backend());
  const AttentionProblem p({9, 3, 16}, {150, 20}, true);
  const Outputs forward = p.forward(backend, 0, 2), backward = p.backward(backend, 0, 2);
  // Four products of a tile of 64 rows and 64 columns with 64 + 128 + 192 + 64 keys: two heads at a time, half of one, a tile.
  constexpr double row = 4 * 64 * 64, head = 448 * row;
  for (double most : {2.5 * head, 0.5 * head, 1.0}) {
    CAPTURE(most);
    backend.set_launch_flop(most);
    check_same_bits(p.forward(backend, 0, 2), forward);
    check_same_bits(p.backward(backend, 0, 2), backward);
  }
  backend.set_launch_flop(cuda::kLaunchFlop);
}

TEST_CASE("cuda: attention's gradients scale with their cause, far below and above the range of f16") {
  Backend* const backend = cuda_backend();
  if (backend == nullptr) return;
  for (HeadShape shape : {HeadShape{4, 2, 16}, {2, 1, 70}}) {
    AttentionProblem p(shape, {67, 2}, true);
    const Outputs expected = p.backward(*backend, 0, 2);
    const std::vector<float> do_ = p.do_;
    for (int exponent : {-60, -20, 20, 60}) {
      CAPTURE(exponent);
      p.do_ = do_;
      for (float& value : p.do_) value = std::ldexp(value, exponent);
      Outputs actual = p.backward(*backend, 0, 2);
      for (auto& output : actual) {
        for (float& value : output) value = std::ldexp(value, -exponent);
      }
      check_same_bits(actual, expected);
    }
  }
}

TEST_CASE("cuda: attention's gradients keep rows that are small beside others") {
  if (cuda_backend() == nullptr) return;
  const HeadShape shape{4, 2, 32};
  AttentionProblem p = problem(shape, {70}, true, true);
  const std::int64_t width = shape.H * shape.D;
  // Rows in turns of 1, 2^-12 and 2^-24, those of the second tile 2^8 times that; the first head of one group and the last of the
  // other are 2^-10 of their neighbours.
  const auto exponent = [&](std::int64_t i) {
    const std::int64_t head = i / shape.D % shape.H;
    return (i / width < 64 ? 0 : 8) - 12 * int(i / width % 3) - (head == 0 || head == 3 ? 10 : 0);
  };
  for (std::size_t i = 0; i < p.do_.size(); ++i) p.do_[i] = std::ldexp(p.do_[i], exponent(std::int64_t(i)));
  check_cuda("dq by row and head, dk, dv", [&](Backend& backend) {
    Outputs outputs = p.backward(backend, 0, 1);
    for (std::size_t i = 0; i < outputs[0].size(); ++i) outputs[0][i] = std::ldexp(outputs[0][i], -exponent(std::int64_t(i)));
    return outputs;
  }, backward_tolerance(true));
}

TEST_CASE("cuda: what is not finite in a gradient shows in attention's gradients") {
  Backend* const backend = cuda_backend();
  if (backend == nullptr) return;
  for (float value : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    CAPTURE(value);
    AttentionProblem p({2, 1, 16}, {20}, true);
    p.do_[p.do_.size() - 1] = value;
    const Outputs outputs = p.backward(*backend, 0, 1);
    for (const auto& output : outputs) CHECK_FALSE(all_finite(output));
  }
}

TEST_CASE("cuda: attention_cached agrees with the reference at any slot and position") {
  for (HeadShape shape : {HeadShape{4, 2, 16}, {3, 3, 14}, {9, 3, 64}, {6, 1, 128}, {5, 1, 7}}) {
    for (std::int64_t M : {0, 1, 17}) {
      const CachedAttentionProblem p(shape, M);
      check_cuda(text(shape) + " M=" + std::to_string(M), [&](Backend& backend) { return p.run(backend, 0, M); }, kCachedTolerance);
    }
  }
  const CachedAttentionProblem p({2, 1, 16}, 129), pieces({2, 1, 16}, 5, 333);
  check_cuda("M=129", [&](Backend& backend) { return p.run(backend, 0, 129); }, kCachedTolerance);
  check_cuda("333 positions", [&](Backend& backend) { return pieces.run(backend, 0, 5); }, kCachedTolerance);
}

TEST_CASE("cuda: a row of attention_cached does not depend on the rows beside it") {
  for (HeadShape shape : {HeadShape{4, 2, 16}, {5, 1, 70}}) {
    const CachedAttentionProblem p(shape, 70);
    check_cuda_rows_alone(text(shape), p.M,
                          [&](Backend& backend, std::int64_t first, std::int64_t count) { return p.run(backend, first, count); });
  }
}

TEST_CASE("cuda: attention_cached stays finite with scores in the hundreds") {
  CachedAttentionProblem p({4, 2, 16}, 17);
  for (float& value : p.q) value *= 40;
  check_cuda("scores of ±500", [&](Backend& backend) { return p.run(backend, 0, 17); },
             {1e-5, 2e-4});  // measured on seeds 1-3: 1.6e-6, 2.6e-5
}

TEST_CASE("cuda: kv_write stores each row at its slot and position and touches nothing else") {
  for (HeadShape shape : {HeadShape{3, 3, 14}, {3, 3, 15}, {2, 1, 128}}) {
    for (std::int64_t M : {0, 5, 70}) {
      const std::int64_t slots = 4, capacity = 19, width = shape.G * shape.D;
      Random random("kv_write");
      const auto k = random.normals(M * width), v = random.normals(M * width), before = random.normals(slots * capacity * width);
      std::vector<std::int32_t> slot, position;
      for (std::int32_t m = 0; m < M; ++m) {  // 27 and 76 have no factor in common: no place comes twice
        slot.push_back(std::int32_t(27 * m % 76 / 19));
        position.push_back(std::int32_t(27 * m % 76 % 19));
      }
      check_cuda(text(shape) + " M=" + std::to_string(M), [&](Backend& backend) {
        Array ak(backend, k), av(backend, v), cache_k(backend, before), cache_v(backend, before);
        const KvView cache{cache_k.data(), cache_v.data(), capacity};
        REQUIRE(backend.kv_write(ak.data(), av.data(), slot.data(), position.data(), M, shape.G, shape.D, cache).ok());
        return Outputs{cache_k.host(), cache_v.host()};
      }, {0, 0});
    }
  }
}

// Each array is an allocation of its own here: the guards of Array would take reads past its end.
TEST_CASE("cuda: attention reads nothing outside of its arrays") {
  Backend* const backend = cuda_backend();
  if (backend == nullptr) return;
  for (HeadShape shape : {HeadShape{1, 1, 16}, {1, 1, 96}, {1, 1, 7}}) {
    CAPTURE(shape.D);
    const AttentionProblem p(shape, {5}, true);
    const AttentionShape sizes = attention_shape(shape, true);
    std::vector<void*> memory;
    const auto place = [&](const std::vector<float>& host) {
      auto made = backend->allocate(host.size() * sizeof(float));
      REQUIRE(made.ok());
      memory.push_back(made.value());
      REQUIRE(backend->upload(made.value(), host.data(), host.size() * sizeof(float)).ok());
      return static_cast<float*>(made.value());
    };
    float *const q = place(p.q), *const k = place(p.k), *const v = place(p.v), *const do_ = place(p.do_), *const o = place(p.q),
               *const lse = place(std::vector<float>(5)), *const dq = place(p.q), *const dk = place(p.k), *const dv = place(p.v);
    const std::int32_t zero[5] = {}, positions[5] = {0, 1, 2, 3, 4};
    REQUIRE(backend->attention_forward(q, k, v, p.cu_seqlens.data(), 1, sizes, o, lse).ok());
    REQUIRE(backend->attention_backward(do_, q, k, v, o, lse, p.cu_seqlens.data(), 1, sizes, dq, dk, dv).ok());
    REQUIRE(backend->kv_write(k, v, zero, positions, 5, 1, shape.D, {dk, dv, 5}).ok());
    REQUIRE(backend->attention_cached(q, zero, positions, 5, sizes, {dk, dv, 5}, o).ok());
    float last = 0;
    REQUIRE(backend->download(&last, lse, sizeof last).ok());  // what failed on the card shows here at the latest
    for (void* each : memory) backend->release(each);
  }
}

TEST_CASE("cuda: heads that are too wide are refused") {
  Backend* const backend = cuda_backend();
  if (backend == nullptr) return;
  const std::int32_t cu_seqlens[] = {0, 1}, zero = 0;
  const AttentionShape shape{1, 1, 130, true, 0.1f};
  Array x(*backend, 130), y(*backend, 130), lse(*backend, 1);
  float* const p = x.data();
  CHECK(backend->attention_forward(p, p, p, cu_seqlens, 1, shape, y.data(), lse.data()).code == Code::recipe_unsupported);
  CHECK(backend->attention_backward(p, p, p, p, p, lse.data(), cu_seqlens, 1, shape, y.data(), y.data(), y.data()).code ==
        Code::recipe_unsupported);
  CHECK(backend->attention_cached(p, &zero, &zero, 1, shape, {p, p, 1}, y.data()).code == Code::recipe_unsupported);
}

TEST_CASE("cuda: attention keeps to the scratch that was planned for it") {
  Backend* const backend = cuda_backend();
  if (backend == nullptr) return;
  const AttentionProblem rows({3, 1, 16}, Lengths(40, 1), true), one({3, 1, 16}, {40}, true);
  const CachedAttentionProblem cached({3, 1, 16}, 40);
  const Workload work{.heads = 3, .kv_heads = 1, .head_dim = 16, .rows = 40, .sequence = 40, .backward = true,
                      .cached_keys = CachedAttentionProblem::kCapacity};
  const std::size_t bytes = cuda::attention_scratch(work);
  auto memory = backend->allocate(bytes);
  REQUIRE(memory.ok());
  backend->lend_scratch(memory.value(), bytes);
  for (const AttentionProblem* p : {&rows, &one}) p->backward(*backend, 0, p->lengths.size());
  for (std::int64_t count : {1, 40}) cached.run(*backend, 0, count);
  backend->lend_scratch(nullptr, 0);
  backend->release(memory.value());
}

}  // namespace namesake::test

TEST_SUITE_END();
