// head_loss on the card against the reference.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <string>

#include "backend/cuda/cuda_fixture.h"
#include "backend/cuda/scratch.h"
#include "backend/head_loss_problem.h"

TEST_SUITE_BEGIN("cuda");

namespace namesake::test {

namespace {

/// Of cross-entropy, KL and dx.
struct Tolerances {
  Tolerance ce, kl, dx;
};

// Operands lose nothing when they are rounded: what is left is f32, and the rounding of the gradient of the logits. Measured on seeds
// 1-3: cross-entropy 4.1e-7, 9.2e-7; KL 4.7e-5, 1.1e-4 (of a floor: 1.1e-6); dx 3.3e-4, 2.8e-3.
constexpr Tolerances kExact{{1e-5, 1e-4, 0.01}, {1e-4, 3e-4, 0.01}, {1e-3, 1e-2, 0.01}};
// Operands of f32, which are rounded: cross-entropy 1.9e-4, 5.6e-4; KL 2.1e-3, 6.4e-3; dx 6.3e-4, 5.5e-3.
constexpr Tolerances kRounding{{1e-3, 1e-2, 0.01}, {1e-2, 3e-2, 0.01}, {2e-3, 2e-2, 0.01}};

/// The nearest value that f16 holds, even on a tie; for less than 65,520.
float round_to_f16(float value) {
  if (value == 0) return 0;
  const float step = std::ldexp(1.0f, std::max(std::ilogb(value), -14) - 10);
  return std::nearbyint(value / step) * step;
}

/// What `p` gives on a card in scratch that is as large as planned for it, and full of NaN: a chunk of the vocabulary takes more than the
/// scratch of other ops.
Outputs run_as_planned(const HeadLossProblem& p, Backend& card) {
  const HeadLossShape& s = p.shape;
  const std::size_t bytes = cuda::head_loss_scratch(
      {.hidden = s.C, .vocab = s.V, .loss_rows = s.M, .compares = s.with_base, .backward = s.with_dx});
  const Array scratch(card, std::vector<float>(bytes / sizeof(float), NAN));
  card.lend_scratch(scratch.data(), bytes);
  Outputs outputs = p.run(card, 0, s.M);
  card.lend_scratch(nullptr, 0);
  return outputs;
}

/// Compares the card's answer to a problem with the reference's answer to `expected`.
void check_head_loss(const HeadLossProblem& p, const HeadLossProblem& expected, const Tolerances& tolerances) {
  std::vector<Tolerance> each{tolerances.ce};
  if (p.shape.with_base) each.push_back(tolerances.kl);
  if (p.shape.with_dx) each.push_back(tolerances.dx);
  check_cuda(p.shape.text(), [&](Backend& backend) {
    return &backend == &reference() ? expected.run(backend, 0, p.shape.M) : run_as_planned(p, backend);
  }, each);
}

/// The same, the reference taking the head as the card rounds it.
void check_head_loss(HeadLossShape shape) {
  shape.halves = true;
  const HeadLossProblem p(shape);
  std::vector<float> head(static_cast<std::size_t>(shape.V * shape.C));
  for (std::int64_t n = 0; n < shape.V; ++n) decode_row(p.head, n, head.data() + n * shape.C);
  for (float& value : head) value = round_to_f16(value);
  HeadLossProblem expected = p;
  expected.head = {BlockType::f32, shape.V, shape.C, reinterpret_cast<const std::byte*>(head.data()), nullptr};
  check_head_loss(p, expected, kExact);
}

/// Runs a problem in the scratch that is planned for it, past which the stand-in finds what goes, and guards on a card. All rows have
/// weights, and the last token as their target.
void check_scratch(Backend& backend, const HeadLossShape& shape) {
  HeadLossProblem p(shape);
  const std::size_t M = static_cast<std::size_t>(shape.M);
  p.ce_weight.assign(M, 1);
  p.kl_weight.assign(M, shape.with_base ? 1 : 0);
  p.targets.assign(M, std::int32_t(shape.V - 1));
  run_as_planned(p, backend);
}

}  // namespace

TEST_CASE("cuda: head_loss agrees with the reference on odd shapes, and on every block format") {
  if (cuda_backend() == nullptr) return;
  for (std::int64_t M : {0, 1, 17}) {
    for (std::int64_t V : {5, 257}) {
      check_head_loss({.type = BlockType::bf16, .M = M, .V = V, .C = 67, .with_base = (M + V) % 4 != 0, .with_dx = V != 257 || M == 17});
    }
  }
  for (BlockType type : kBlockTypes) check_head_loss({.type = type, .M = 5, .V = 75, .C = whole_blocks(type, 67)});
}

TEST_CASE("cuda: head_loss agrees with the reference over several chunks of the vocabulary") {
  if (cuda_backend() == nullptr) return;
  for (std::int64_t V : {8192, 2 * 8192 + 5}) check_head_loss({.type = BlockType::bf16, .M = 9, .V = V, .C = 24});
}

TEST_CASE("cuda: head_loss with logits in the hundreds stays finite") {
  if (cuda_backend() == nullptr) return;
  check_head_loss({.type = BlockType::bf16, .M = 17, .V = 300, .C = 64, .spread = 60});
}

TEST_CASE("cuda: head_loss agrees with the reference as far as operands of 16 bits let it") {
  if (cuda_backend() == nullptr) return;
  for (BlockType type : {BlockType::f32, BlockType::q4_k}) {
    const HeadLossProblem p({.type = type, .M = 33, .V = 300, .C = 256, .spread = 0.5f});
    check_head_loss(p, p, kRounding);
  }
}

TEST_CASE("cuda: a row of head_loss does not depend on the rows beside it") {
  for (std::int64_t V : {300, 8192 + 300}) {
    const HeadLossProblem p({.type = BlockType::q8_0, .M = V == 300 ? 129 : 20, .V = V, .C = 64});
    check_cuda_rows_alone(p.shape.text(), p.shape.M, [&](Backend& backend, std::int64_t first, std::int64_t count) {
      return p.run(backend, first, count);
    });
  }
}

TEST_CASE("cuda: head_loss takes more rows than go through the head together") {
  Backend* const backend = cuda_backend();
  if (backend == nullptr) return;
  // 2,048 do. The first 2,060 rows have a weight: all but a few are compared, so that the second group has some of either kind.
  HeadLossProblem p({.type = BlockType::bf16, .M = 2070, .V = 5, .C = 8, .halves = true});
  for (std::size_t m = 0; m < 2070; ++m) {
    p.ce_weight[m] = m < 2060 && (m % 2 == 0 || m >= 2052) ? 0.5f : 0;
    p.kl_weight[m] = m < 2052 ? 0.25f : 0;
    p.targets[m] = p.ce_weight[m] != 0 ? std::int32_t(m % 5) : -100;
  }
  for (float& value : p.x) value = std::isnan(value) ? 1 : value;
  const Outputs whole = p.run(*backend, 0, 2070), last = p.run(*backend, 2040, 30), expected = p.run(reference(), 2040, 30);
  for (std::size_t i = 0; i < whole.size(); ++i) {
    CAPTURE(i);
    check_same_bits({slice(whole[i], i == 2 ? 8 : 1, 2040, 30)}, {last[i]});
    check_close(last[i], expected[i], i == 0 ? kExact.ce : i == 1 ? kExact.kl : kExact.dx);
  }
}

TEST_CASE("cuda: the gradient of head_loss is as good for tiny and huge weights") {
  Backend* const backend = cuda_backend();
  if (backend == nullptr) return;
  HeadLossProblem p({.type = BlockType::q4_1, .M = 9, .V = 200, .C = 64});
  const auto dx = p.run(*backend, 0, 9)[2];
  for (float power : {0x1p-40f, 0x1p40f}) {
    HeadLossProblem scaled = p;
    for (auto* weights : {&scaled.ce_weight, &scaled.kl_weight}) {
      for (float& weight : *weights) weight *= power;
    }
    auto back = scaled.run(*backend, 0, 9)[2];
    for (float& value : back) value /= power;
    CHECK(back == dx);
  }
}

TEST_CASE("cuda: head_loss gives zeros, not rubbish, for rows that are skipped") {
  Backend* const backend = cuda_backend();
  if (backend == nullptr) return;
  HeadLossProblem p({.type = BlockType::f32, .M = 17, .V = 40, .C = 8});
  p.ce_weight.assign(17, 0);
  p.kl_weight.assign(17, 0);
  for (const auto& output : p.run(*backend, 0, 17)) CHECK(output == std::vector<float>(output.size(), 0.0f));
}

TEST_CASE("cuda: KL of head_loss against oneself is nothing, and has no gradient") {
  Backend* const backend = cuda_backend();
  if (backend == nullptr) return;
  HeadLossProblem p({.type = BlockType::q8_0, .M = 3, .V = 8192 + 8, .C = 32});
  for (float& value : p.x) value = std::isnan(value) ? 1 : value;
  p.x_base = p.x;
  p.ce_weight.assign(3, 0);
  p.kl_weight.assign(3, 1);
  const Outputs made = p.run(*backend, 0, 3);
  for (std::size_t i : {1u, 2u}) CHECK(made[i] == std::vector<float>(made[i].size(), 0.0f));
}

TEST_CASE("cuda: head_loss keeps to the scratch that is planned for it, under 300 MB for Qwen2.5-1.5B at 2048 rows") {
  Backend* const backend = cuda_backend();
  if (backend == nullptr) return;
  for (bool with_base : {false, true}) {
    for (bool with_dx : {false, true}) {
      check_scratch(*backend, {.type = BlockType::q5_0, .M = 21, .V = 300, .C = 96, .with_base = with_base, .with_dx = with_dx});
    }
  }
  // In the first chunk the target lies farther from its row's logits than scratch goes.
  check_scratch(*backend, {.type = BlockType::bf16, .M = 1, .V = 2 * 8192, .C = 8, .with_base = false, .with_dx = false});
  Workload qwen;
  qwen.hidden = 1536;
  qwen.vocab = 151936;
  qwen.loss_rows = 2048;
  qwen.compares = qwen.backward = true;
  CHECK(cuda::head_loss_scratch(qwen) < 300'000'000);
}

TEST_CASE("cuda: a raised flag cancels head_loss") {
  Backend* const backend = cuda_backend();
  if (backend == nullptr) return;
  const HeadLossProblem p({.type = BlockType::f32, .M = 5, .V = 40, .C = 8});
  std::atomic<bool> flag{true};
  backend->set_cancel(&flag);
  Outputs outputs;
  CHECK(p.run(*backend, 0, 5, outputs).code == Code::cancelled);
  backend->set_cancel(nullptr);
  CHECK(p.run(*backend, 0, 5, outputs).ok());
}

}  // namespace namesake::test

TEST_SUITE_END();
