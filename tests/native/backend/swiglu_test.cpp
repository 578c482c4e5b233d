// Cases of swiglu_forward and swiglu_backward.
#include "backend/fixture.h"

namespace namesake::test {

namespace {

constexpr Tolerance kTolerance{1e-6, 1e-5};  // measured on seeds 1-3: 1.5e-7, 2.1e-6

struct Problem {
  explicit Problem(std::int64_t count, float spread = 2)
      : n(count), random("swiglu " + std::to_string(n)), gate(random.normals(n, spread)), up(random.normals(n)),
        dy(random.normals(n)) {}

  Outputs forward(Backend& backend, std::int64_t first, std::int64_t count) const {
    Array ag(backend, slice(gate, 1, first, count)), au(backend, slice(up, 1, first, count)), y(backend, count);
    REQUIRE(backend.swiglu_forward(ag.data(), au.data(), count, y.data()).ok());
    return {y.host()};
  }

  Outputs backward(Backend& backend, std::int64_t first, std::int64_t count, bool in_place) const {
    Array ag(backend, slice(gate, 1, first, count)), au(backend, slice(up, 1, first, count)),
        ady(backend, slice(dy, 1, first, count)), dgate(backend, count), dup(backend, count);
    Array& to_gate = in_place ? ag : dgate;
    Array& to_up = in_place ? au : dup;
    REQUIRE(backend.swiglu_backward(ady.data(), ag.data(), au.data(), count, to_gate.data(), to_up.data()).ok());
    return {to_gate.host(), to_up.host()};
  }

  std::int64_t n;
  Random random;
  std::vector<float> gate, up, dy;
};

}  // namespace

TEST_CASE("swiglu agrees with the reference on odd sizes, in place too") {
  for (std::int64_t n : {0, 1, 3, 17, 129, 129 * 97}) {
    const Problem p(n);
    const std::string what = "n=" + std::to_string(n);
    check_agrees(what, [&](Backend& backend) { return p.forward(backend, 0, n); }, kTolerance);
    for (bool in_place : {false, true}) {
      check_agrees(what + " backward", [&](Backend& backend) { return p.backward(backend, 0, n, in_place); }, kTolerance);
    }
  }
}

TEST_CASE("swiglu stays finite where exp overflows") {
  Problem p(64, 1);
  for (std::size_t i = 0; i < 64; ++i) p.gate[i] = (i % 2 ? -1.0f : 1.0f) * (20.0f + 8.0f * float(i));
  check_agrees("gate from -524 to 516", [&](Backend& backend) { return p.forward(backend, 0, 64); }, kTolerance);
  check_agrees("backward", [&](Backend& backend) { return p.backward(backend, 0, 64, false); }, kTolerance);
}

TEST_CASE("an element of swiglu does not depend on those beside it") {
  const Problem p(129);
  check_rows_alone("both", 129, [&](Backend& backend, std::int64_t first, std::int64_t count) {
    Outputs outputs = p.backward(backend, first, count, true);
    outputs.push_back(p.forward(backend, first, count)[0]);
    return outputs;
  });
}

TEST_CASE("swiglu_backward is the gradient of swiglu_forward") {
  Problem p(40);
  const Outputs gradients = p.backward(reference(), 0, 40, false);
  const auto loss = [&] { return inner(p.dy, p.forward(reference(), 0, 40)[0]); };
  CHECK(gradient_error(p.gate, gradients[0], loss) < 5e-5);  // measured 1.7e-6
  CHECK(gradient_error(p.up, gradients[1], loss) < 5e-5);  // measured 1.7e-6
}

}  // namespace namesake::test
