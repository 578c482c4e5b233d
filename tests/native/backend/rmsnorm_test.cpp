// Cases of rmsnorm_forward and rmsnorm_backward.
#include "backend/fixture.h"

namespace namesake::test {

namespace {

constexpr float kEps = 1e-5f;
constexpr Tolerance kTolerance{1e-6, 3e-5, 1};  // measured on seeds 1-10: 1.5e-7, 9.2e-6; with one column terms cancel

struct Problem {
  Problem(std::int64_t rows, std::int64_t width)
      : M(rows), C(width), random("rmsnorm " + std::to_string(M) + " " + std::to_string(C)), x(random.normals(M * C)),
        weight(random.normals(C)), dy(random.normals(M * C)), dx0(random.normals(M * C)) {
    // A row of zeros: rstd is 1 / sqrt(eps).
    if (M > 2) std::fill_n(x.begin() + C, C, 0.0f);
  }

  Outputs forward(Backend& backend, std::int64_t first, std::int64_t count) const {
    Array ax(backend, slice(x, C, first, count)), aw(backend, weight), y(backend, count * C), rstd(backend, count);
    REQUIRE(backend.rmsnorm_forward(ax.data(), aw.data(), kEps, count, C, y.data(), rstd.data()).ok());
    Array without(backend, count * C);
    REQUIRE(backend.rmsnorm_forward(ax.data(), aw.data(), kEps, count, C, without.data(), nullptr).ok());
    CHECK(without.host() == y.host());
    REQUIRE(backend.rmsnorm_forward(ax.data(), aw.data(), kEps, count, C, ax.data(), nullptr).ok());
    CHECK(ax.host() == y.host());  // in place
    return {y.host(), rstd.host()};
  }

  Outputs backward(Backend& backend, std::int64_t first, std::int64_t count) const {
    const Outputs made = forward(reference(), first, count);
    Array ady(backend, slice(dy, C, first, count)), ax(backend, slice(x, C, first, count)), aw(backend, weight),
        rstd(backend, made[1]), dx(backend, slice(dx0, C, first, count));
    REQUIRE(backend.rmsnorm_backward(ady.data(), ax.data(), aw.data(), rstd.data(), count, C, dx.data()).ok());
    return {dx.host()};
  }

  std::int64_t M, C;
  Random random;
  std::vector<float> x, weight, dy, dx0;
};

}  // namespace

TEST_CASE("rmsnorm agrees with the reference on odd shapes") {
  for (std::int64_t C : {1, 7, 42, 64, 576, 1001}) {
    for (std::int64_t M : {0, 1, 3, 17, 129}) {
      const Problem problem(M, C);
      const std::string what = "M=" + std::to_string(M) + " C=" + std::to_string(C);
      check_agrees(what, [&](Backend& backend) { return problem.forward(backend, 0, M); }, kTolerance);
      check_agrees(what + " backward", [&](Backend& backend) { return problem.backward(backend, 0, M); }, kTolerance);
    }
  }
}

TEST_CASE("a row of rmsnorm does not depend on the rows beside it") {
  const Problem problem(129, 77);
  check_rows_alone("forward", 129, [&](Backend& backend, std::int64_t first, std::int64_t count) {
    return problem.forward(backend, first, count);
  });
  check_rows_alone("backward", 129, [&](Backend& backend, std::int64_t first, std::int64_t count) {
    return problem.backward(backend, first, count);
  });
}

TEST_CASE("rmsnorm_backward is the gradient of rmsnorm_forward") {
  Problem p(2, 23);
  auto dx = p.backward(reference(), 0, 2)[0];
  for (std::size_t i = 0; i < dx.size(); ++i) dx[i] -= p.dx0[i];
  CHECK(gradient_error(p.x, dx, [&] { return inner(p.dy, p.forward(reference(), 0, 2)[0]); }) < 5e-5);  // measured 4.2e-6
}

}  // namespace namesake::test
