// Cases of linear_forward and linear_backward.
#include <algorithm>
#include <bit>
#include <cmath>

#include "backend/linear_problem.h"

namespace namesake::test {

namespace {

// Measured on seeds 1-3: 1.2e-6, 7.3e-6. The floor is for xa of one element, whose terms may cancel.
constexpr Tolerance kTolerance{3e-6, 3e-5, 0.5};
// Operands rounded to bf16, eight bits each. Measured on seeds 1-3: 7.4e-3 (a lone output; 2.5e-3 of many), 4.2e-2; by AMX's tiles
// (emulated, seed 1) 6.5e-3, 2.5e-2.
constexpr Tolerance kRounded{1.5e-2, 8e-2, 0.5};

/// The tolerance of a product whose matrix is of this format, where bf16 products are used.
Tolerance rounded(BlockType type) { return type == BlockType::f32 ? kTolerance : kRounded; }

/// Makes every operand of W's products one that bf16 holds.
void round_operands(LinearProblem& problem) {
  for (std::vector<float>* values : {&problem.x, &problem.dy, &problem.a, &problem.b}) {
    for (float& value : *values) value = std::bit_cast<float>(std::uint32_t{f32_to_bf16(value)} << 16);
  }
}

/// An output of few elements is measured against the root of its number of terms, too: a lone sum of 256 of them may be near 0
/// (seed 1, q4_k: terms of 115 in all add up to 1.2), and its rounding is not. 0.2 is the deviation of A.
Tolerance forward_tolerance(const LinearShape& shape, Tolerance tolerance) {
  return {tolerance.relative_l2, tolerance.max_over_rms, std::max(tolerance.floor, 0.2 * std::sqrt(double(shape.K)))};
}

/// Odd sizes for every block format; options rotate so that each meets each format and M.
std::vector<LinearShape> odd_shapes() {
  std::vector<LinearShape> shapes;
  const std::int64_t ranks[] = {0, 1, 3, 16, 20};
  std::size_t turn = 0;
  for (BlockType type : kBlockTypes) {
    constexpr std::pair<std::int64_t, std::int64_t> kSizes[] = {{1, 1}, {33, 67}, {130, 257}, {70, 1030}};
    for (std::int64_t M : {0, 1, 3, 17, 129}) {
      for (auto [N, K] : kSizes) {
        LinearShape s{.type = type, .M = M, .N = N, .K = whole_blocks(type, K)};
        s.rank = ranks[turn % 5];
        s.bias = turn % 2;
        s.row_on = s.rank && turn % 3 == 0;
        s.accumulate = turn % 4 == 1;
        s.with_dx = turn % 7 != 3;
        s.residual = Residual(turn % 3);
        shapes.push_back(s);
        ++turn;
      }
      ++turn;
    }
  }
  return shapes;
}

}  // namespace

TEST_CASE("linear_forward agrees with the reference on odd shapes of every block format") {
  for (const LinearShape& shape : odd_shapes()) {
    const LinearProblem problem(shape);
    for (Phase phase : {Phase::prefill, Phase::decode}) {
      check_agrees(shape.text() + (phase == Phase::prefill ? " prefill" : " decode"),
                   [&](Backend& backend) { return problem.forward(backend, phase, 0, shape.M); }, forward_tolerance(shape, kTolerance),
                   forward_tolerance(shape, phase == Phase::prefill ? rounded(shape.type) : kTolerance));
    }
  }
}

TEST_CASE("linear_forward without an output gives xa, and the bits that it has beside one") {
  for (const LinearShape& shape : odd_shapes()) {
    if (shape.rank == 0) continue;
    CAPTURE(shape.text());
    const LinearProblem problem(shape);
    const auto check = [&](Backend& backend) {
      check_same_bits(problem.low_rank_alone(backend), {problem.forward(backend, Phase::prefill, 0, shape.M)[1]});
    };
    check(reference());
    for (const Subject& subject : subjects()) check(*subject.by_threads.back());
  }
}

TEST_CASE("linear_backward agrees with the reference on odd shapes of every block format") {
  for (const LinearShape& shape : odd_shapes()) {
    const LinearProblem problem(shape);
    check_agrees(shape.text(), [&](Backend& backend) { return problem.backward(backend, 0, shape.M); }, kTolerance, rounded(shape.type));
    if (shape.rank == 0) continue;
    // Its operands come rounded from nowhere: B's gradient is as near on every instruction set.
    check_agrees(shape.text() + " db", [&](Backend& backend) { return Outputs{problem.backward(backend, 0, shape.M).back()}; }, kTolerance);
  }
}

TEST_CASE("products in bf16 round their operands and nothing else") {
  for (std::int64_t M : {1, 3, 17, 129}) {
    for (auto [N, K] : {std::pair{1, 1}, {33, 67}, {130, 257}, {70, 1030}}) {
      LinearShape shape{.type = BlockType::bf16, .M = M, .N = N, .K = K, .bias = true, .accumulate = M == 17};
      shape.residual = Residual::separate;
      LinearProblem problem(shape);
      round_operands(problem);
      check_agrees(shape.text(), [&](Backend& backend) { return problem.forward(backend, Phase::prefill, 0, M); },
                   forward_tolerance(shape, kTolerance));
      check_agrees(shape.text() + " dx", [&](Backend& backend) { return problem.backward(backend, 0, M); }, kTolerance);
      shape.rank = 20;
      LinearProblem low_rank(shape);
      round_operands(low_rank);
      check_agrees(shape.text() + " xa", [&](Backend& backend) { return Outputs{low_rank.forward(backend, Phase::prefill, 0, M)[1]}; },
                   kTolerance);
      check_agrees(shape.text() + " da", [&](Backend& backend) { return Outputs{low_rank.backward(backend, 0, M)[1]}; }, kTolerance);
    }
  }
}

TEST_CASE("a row of linear does not depend on the rows beside it") {
  for (BlockType type : kBlockTypes) {
    LinearShape shape{.type = type, .M = 129, .N = 70, .K = whole_blocks(type, 288), .rank = 16, .bias = true, .row_on = true};
    shape.residual = Residual::separate;
    const LinearProblem problem(shape);
    for (Phase phase : {Phase::prefill, Phase::decode}) {
      check_rows_alone(shape.text(), shape.M, [&](Backend& backend, std::int64_t first, std::int64_t count) {
        return problem.forward(backend, phase, first, count);
      });
    }
    check_rows_alone(shape.text() + " dx", shape.M, [&](Backend& backend, std::int64_t first, std::int64_t count) {
      return Outputs{problem.backward(backend, first, count)[0]};
    });
  }
}

TEST_CASE("rows with the adapter off are the base model's, bit for bit") {
  const LinearProblem mixed(LinearShape{.type = BlockType::q8_0, .M = 33, .N = 65, .K = 96, .rank = 8, .row_on = true});
  LinearProblem base = mixed, all_on = mixed;
  base.shape.rank = 0;
  all_on.shape.row_on = false;
  const auto check = [&](Backend& backend) {
    for (Phase phase : {Phase::prefill, Phase::decode}) {
      const auto y = mixed.forward(backend, phase, 0, 33)[0], off = base.forward(backend, phase, 0, 33)[0],
                 on = all_on.forward(backend, phase, 0, 33)[0];
      for (std::int64_t m = 0; m < 33; ++m) {
        const auto& expected = mixed.row_on[static_cast<std::size_t>(m)] != 0 ? on : off;
        CHECK(slice(y, 65, m, 1) == slice(expected, 65, m, 1));
      }
      CHECK(y != off);
      CHECK(y != on);
    }
  };
  check(reference());
  for (const Subject& subject : subjects()) {
    INFO("again: ", rerun_command(subject.isa));
    check(*subject.by_threads[1]);
  }
}

TEST_CASE("linear_backward is the gradient of linear_forward") {
  LinearProblem p(LinearShape{.type = BlockType::f32, .M = 5, .N = 6, .K = 7, .rank = 3, .bias = true, .row_on = true});
  const Outputs gradients = p.backward(reference(), 0, 5);
  const auto loss = [&] { return inner(p.dy, p.forward(reference(), Phase::prefill, 0, 5)[0]); };
  const auto added = [](std::vector<float> sum, const std::vector<float>& before) {
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] -= before[i];
    return sum;
  };
  // Measured 1.5e-5: f32 rounding of y over the step.
  CHECK(gradient_error(p.x, gradients[0], loss) < 5e-5);
  CHECK(gradient_error(p.a, added(gradients[1], p.da0), loss) < 5e-5);
  CHECK(gradient_error(p.b, added(gradients[2], p.db0), loss) < 5e-5);
}

}  // namespace namesake::test
