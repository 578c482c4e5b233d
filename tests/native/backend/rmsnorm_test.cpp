// Cases of rmsnorm_forward and rmsnorm_backward.
#include "backend/rmsnorm_problem.h"

namespace namesake::test {

namespace {

constexpr Tolerance kTolerance{1e-6, 3e-5, 1};  // measured on seeds 1-10: 1.5e-7, 9.2e-6; with one column terms cancel

}  // namespace

TEST_CASE("rmsnorm agrees with the reference on odd shapes") {
  for (std::int64_t C : {1, 7, 42, 64, 576, 1001}) {
    for (std::int64_t M : {0, 1, 3, 17, 129}) {
      const RmsnormProblem problem(M, C);
      const std::string what = "M=" + std::to_string(M) + " C=" + std::to_string(C);
      check_agrees(what, [&](Backend& backend) { return problem.forward(backend, 0, M); }, kTolerance);
      check_agrees(what + " backward", [&](Backend& backend) { return problem.backward(backend, 0, M); }, kTolerance);
    }
  }
}

TEST_CASE("a row of rmsnorm does not depend on the rows beside it") {
  const RmsnormProblem problem(129, 77);
  check_rows_alone("forward", 129, [&](Backend& backend, std::int64_t first, std::int64_t count) {
    return problem.forward(backend, first, count);
  });
  check_rows_alone("backward", 129, [&](Backend& backend, std::int64_t first, std::int64_t count) {
    return problem.backward(backend, first, count);
  });
}

TEST_CASE("rmsnorm_backward is the gradient of rmsnorm_forward") {
  RmsnormProblem p(2, 23);
  auto dx = p.backward(reference(), 0, 2)[0];
  for (std::size_t i = 0; i < dx.size(); ++i) dx[i] -= p.dx0[i];
  CHECK(gradient_error(p.x, dx, [&] { return inner(p.dy, p.forward(reference(), 0, 2)[0]); }) < 5e-5);  // measured 4.2e-6
}

}  // namespace namesake::test
