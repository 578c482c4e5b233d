// Cases of swiglu_forward and swiglu_backward.
#include "backend/swiglu_problem.h"

namespace namesake::test {

namespace {

constexpr Tolerance kTolerance{1e-6, 1e-5};  // measured on seeds 1-3: 1.5e-7, 2.1e-6

}  // namespace

TEST_CASE("swiglu agrees with the reference on odd sizes, in place too") {
  for (std::int64_t n : {0, 1, 3, 17, 129, 129 * 97}) {
    const SwigluProblem p(n);
    const std::string what = "n=" + std::to_string(n);
    check_agrees(what, [&](Backend& backend) { return p.forward(backend, 0, n); }, kTolerance);
    for (bool in_place : {false, true}) {
      check_agrees(what + " backward", [&](Backend& backend) { return p.backward(backend, 0, n, in_place); }, kTolerance);
    }
  }
}

TEST_CASE("swiglu stays finite where exp overflows") {
  SwigluProblem p(64, 1);
  for (std::size_t i = 0; i < 64; ++i) p.gate[i] = (i % 2 ? -1.0f : 1.0f) * (20.0f + 8.0f * float(i));
  check_agrees("gate from -524 to 516", [&](Backend& backend) { return p.forward(backend, 0, 64); }, kTolerance);
  check_agrees("backward", [&](Backend& backend) { return p.backward(backend, 0, 64, false); }, kTolerance);
}

TEST_CASE("an element of swiglu does not depend on those beside it") {
  const SwigluProblem p(129);
  check_rows_alone("both", 129, [&](Backend& backend, std::int64_t first, std::int64_t count) {
    Outputs outputs = p.backward(backend, first, count, true);
    outputs.push_back(p.forward(backend, first, count)[0]);
    return outputs;
  });
}

TEST_CASE("swiglu_backward is the gradient of swiglu_forward") {
  SwigluProblem p(40);
  const Outputs gradients = p.backward(reference(), 0, 40, false);
  const auto loss = [&] { return inner(p.dy, p.forward(reference(), 0, 40)[0]); };
  CHECK(gradient_error(p.gate, gradients[0], loss) < 5e-5);  // measured 1.7e-6
  CHECK(gradient_error(p.up, gradients[1], loss) < 5e-5);  // measured 1.7e-6
}

}  // namespace namesake::test
