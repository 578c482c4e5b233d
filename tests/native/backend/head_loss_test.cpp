// Cases of head_loss: cross-entropy, KL, skipped rows and their gradient.
#include <bit>
#include <cmath>

#include "backend/head_loss_problem.h"

namespace namesake::test {

namespace {

// Measured on seeds 1-6: 3.2e-6, 2.8e-5 (cross-entropy and dx: an f32 logit of hundreds is good to 1e-5, and so is its
// probability); 9.4e-6, 3.6e-5 (KL, a difference of log-probabilities).
constexpr Tolerance kTolerance{1e-5, 1e-4, 0.01}, kKlTolerance{4e-5, 2e-4, 0.01};
// With operands rounded to bf16, on logits of about 8 to 40: measured on seeds 1-6: 5.1e-2, 0.52; by AMX's tiles (emulated, seed 1)
// 2.5e-2, 0.19.
constexpr Tolerance kRounded{1e-1, 6e-1, 0.2};

/// Agreement of all outputs, KL by its own tolerance.
void check_agrees_all(const HeadLossProblem& p) {
  const bool f32 = p.shape.type == BlockType::f32;
  check_agrees(p.shape.text(), [&](Backend& backend) {
    Outputs outputs = p.run(backend, 0, p.shape.M);
    if (p.shape.with_base) outputs.erase(outputs.begin() + 1);
    return outputs;
  }, kTolerance, f32 ? kTolerance : kRounded);
  if (!p.shape.with_base) return;
  check_agrees(p.shape.text() + " KL", [&](Backend& backend) { return Outputs{p.run(backend, 0, p.shape.M)[1]}; },
               kKlTolerance, f32 ? kKlTolerance : kRounded);
}

}  // namespace

TEST_CASE("head_loss agrees with the reference on odd shapes of every block format") {
  for (BlockType type : kBlockTypes) {
    const std::int64_t C = whole_blocks(type, 67);
    for (std::int64_t M : {0, 1, 3, 17, 129}) {
      for (std::int64_t V : {5, 257, 1543}) {
        HeadLossShape shape{.type = type, .M = M, .V = V, .C = C};
        shape.with_base = (M + V) % 4 != 0;
        shape.with_dx = V != 257 || M == 129;
        const HeadLossProblem problem(shape);
        check_agrees_all(problem);
      }
    }
  }
}

TEST_CASE("logits in bf16 are exact sums of rounded operands: on bf16's own values, losses are those of f32") {
  for (std::int64_t M : {1, 17, 129}) {
    for (std::int64_t V : {5, 257, 1543}) {
      HeadLossProblem problem(HeadLossShape{.type = BlockType::bf16, .M = M, .V = V, .C = 67, .with_dx = false});
      for (std::vector<float>* values : {&problem.x, &problem.x_base}) {
        for (float& value : *values) value = std::bit_cast<float>(std::uint32_t{f32_to_bf16(value)} << 16);
      }
      check_agrees(problem.shape.text(), [&](Backend& backend) { return Outputs{problem.run(backend, 0, M)[0]}; }, kTolerance);
      check_agrees(problem.shape.text() + " KL", [&](Backend& backend) { return Outputs{problem.run(backend, 0, M)[1]}; }, kKlTolerance);
    }
  }
}

TEST_CASE("head_loss with logits in the hundreds stays finite") {
  const HeadLossProblem p(HeadLossShape{.type = BlockType::f32, .M = 17, .V = 300, .C = 64, .spread = 60});
  check_agrees_all(p);
}

TEST_CASE("a row of head_loss does not depend on the rows beside it") {
  const HeadLossProblem p(HeadLossShape{.type = BlockType::q8_0, .M = 129, .V = 300, .C = 64});
  check_rows_alone(p.shape.text(), 129, [&](Backend& backend, std::int64_t first, std::int64_t count) {
    return p.run(backend, first, count);
  });
}

TEST_CASE("head_loss gives zeros, not rubbish, for rows that are skipped") {
  HeadLossProblem p(HeadLossShape{.type = BlockType::f32, .M = 17, .V = 40, .C = 8});
  p.ce_weight.assign(17, 0);
  p.kl_weight.assign(17, 0);
  const auto check = [&](Backend& backend) {
    for (const auto& output : p.run(backend, 0, 17)) CHECK(output == std::vector<float>(output.size(), 0.0f));
  };
  check(reference());
  for (const Subject& subject : subjects()) {
    INFO("again: ", rerun_command(subject.isa));
    check(*subject.by_threads[1]);
  }
}

TEST_CASE("head_loss: equal logits cost log V, and KL against oneself is nothing") {
  const std::int64_t V = 50, C = 8;
  HeadLossProblem p(HeadLossShape{.type = BlockType::f32, .M = 1, .V = V, .C = C});
  p.x.assign(C, 0);
  p.x_base.assign(C, 0);
  p.ce_weight = {1};
  p.kl_weight = {1};
  p.targets = {7};
  const Outputs made = p.run(reference(), 0, 1);
  CHECK(double(made[0][0]) == doctest::Approx(std::log(50.0)).epsilon(1e-6));
  CHECK(made[1][0] == 0);
}

TEST_CASE("dx of head_loss is the gradient of the weighted sum of cross-entropy and KL") {
  HeadLossProblem p(HeadLossShape{.type = BlockType::f32, .M = 9, .V = 13, .C = 5});
  for (float& value : p.x) value = p.random.normal();  // skipped rows too: their gradient is zero
  const auto dx = p.run(reference(), 0, 9)[2];
  CHECK(gradient_error(p.x, dx, [&] { return p.loss(); }) < 5e-5);  // measured 1.1e-5: f32 rounding of ce and kl over the step
}

}  // namespace namesake::test
