// Cases of adamw, adamw_8bit and sum_of_squares.
#include <cmath>
#include <cstring>

#include "backend/optimizer_problem.h"

namespace namesake::test {

namespace {

constexpr std::int64_t kSizes[] = {0, 1, 3, 17, 129, 40001};

}  // namespace

TEST_CASE("adamw agrees with the reference") {
  for (std::int64_t n : kSizes) {
    for (std::int64_t step : {1, 2, 1000}) {
      const AdamWProblem problem(n, step);
      check_agrees("n=" + std::to_string(n) + " step=" + std::to_string(step),
                   [&](Backend& backend) { return problem.run(backend, 0, n); },
                   {1e-6, 1e-5});  // measured on seeds 1-3: 1.8e-7, 5.9e-7
    }
  }
}

TEST_CASE("adamw of an element does not depend on those beside it") {
  const AdamWProblem problem(129, 2);
  check_rows_alone("n=129", 129, [&](Backend& backend, std::int64_t first, std::int64_t count) {
    return problem.run(backend, first, count);
  });
}

TEST_CASE("adamw_8bit agrees with the reference") {
  for (std::int64_t n : {0, 1, 3, 129, 256, 257, 40001}) {
    for (std::int64_t step : {1, 2, 1000}) {
      const AdamW8BitProblem problem(n, step);
      const std::string what = "n=" + std::to_string(n) + " step=" + std::to_string(step);
      check_agrees(what, [&](Backend& backend) { return problem.run(backend, 0, n).floats(); }, {1e-6, 1e-5});
      check_agrees(what, [&](Backend& backend) { return problem.run(backend, 0, n).codes(); }, kNeighbouringCodes);
    }
  }
}

TEST_CASE("adamw_8bit of a block does not depend on those beside it") {
  const AdamW8BitProblem problem(18 * kDynamicBlock, 2);
  check_rows_alone("18 blocks", 18, [&](Backend& backend, std::int64_t first, std::int64_t count) {
    return problem.run_blocks(backend, first, count);
  });
}

TEST_CASE("ten steps of adamw_8bit follow bitsandbytes") {
  check_follows_bitsandbytes(reference());
  for (const Subject& subject : subjects()) {
    CAPTURE(subject.isa);
    check_follows_bitsandbytes(*subject.by_threads[1]);
  }
}

TEST_CASE("the first step of adamw moves by lr against the gradient's sign, after decay") {
  AdamW options;
  options.lr = 0.5f;
  options.weight_decay = 0.25f;
  std::vector<float> grad{3, -0.01f}, value{8, 8}, m(2), v(2);
  REQUIRE(reference().adamw(options, 2, grad.data(), value.data(), m.data(), v.data()).ok());
  CHECK(double(value[0]) == doctest::Approx(8 * (1 - 0.125) - 0.5).epsilon(1e-6));
  CHECK(double(value[1]) == doctest::Approx(8 * (1 - 0.125) + 0.5).epsilon(1e-5));
}

TEST_CASE("sum_of_squares agrees with the reference, the same bits for any number of threads") {
  for (std::int64_t n : kSizes) {
    Random random("squares " + std::to_string(n));
    const auto x = random.normals(n);
    const auto run = [&](Backend& backend) {
      Array ax(backend, x);
      double sum = -1;
      REQUIRE(backend.sum_of_squares(ax.data(), n, &sum).ok());
      return sum;
    };
    const double expected = run(reference());
    for (const Subject& subject : subjects()) {
      INFO("again: ", rerun_command(subject.isa), " n=", n);
      const double first = run(*subject.by_threads[0]);
      CHECK(std::fabs(first - expected) <= 1e-13 * expected);  // f64 in another order
      for (const auto& backend : subject.by_threads) {
        const double sum = run(*backend);
        CHECK(std::memcmp(&sum, &first, sizeof sum) == 0);
      }
    }
  }
}

}  // namespace namesake::test
