// Cases of rope_forward and rope_backward.
#include <cmath>

#include "backend/rope_problem.h"

namespace namesake::test {

TEST_CASE("rope agrees with the reference on odd shapes") {
  for (bool adjacent : {true, false}) {
    for (std::int64_t D : {2, 14, 16, 64, 128}) {
      for (std::int64_t M : {0, 1, 3, 17, 129}) {
        const RopeProblem p(M, D == 14 ? 1 : 3, D, adjacent);
        check_agrees("M=" + std::to_string(M) + " D=" + std::to_string(D) + " adjacent=" + std::to_string(adjacent),
                     [&](Backend& backend) {
                       return Outputs{p.run(backend, p.x, true, 0, M), p.run(backend, p.dy, false, 0, M)};
                     },
                     {2e-7, 2e-6});  // measured on seeds 1-3: 6.7e-8, 4.8e-7
      }
    }
  }
}

TEST_CASE("a row of rope does not depend on the rows beside it") {
  const RopeProblem p(129, 3, 14, true);
  check_rows_alone("forward and backward", 129, [&](Backend& backend, std::int64_t first, std::int64_t count) {
    return Outputs{p.run(backend, p.x, true, first, count), p.run(backend, p.dy, false, first, count)};
  });
}

TEST_CASE("rope turns pair i of position p by p * theta^(-2i/D), adjacent or by halves") {
  // D = 4, position 1, angles 1 and 1/10: the table of RopeProblem has base 100.
  for (bool adjacent : {true, false}) {
    RopeProblem p(1, 1, 4, adjacent);
    p.positions = {1};
    const std::vector<float> in = adjacent ? std::vector<float>{1, 0, 1, 0} : std::vector<float>{1, 1, 0, 0};
    const auto y = p.run(reference(), in, true, 0, 1);
    const double c1 = std::cos(1.0), s1 = std::sin(1.0), c2 = std::cos(0.1), s2 = std::sin(0.1);
    const std::vector<double> expected = adjacent ? std::vector<double>{c1, s1, c2, s2} : std::vector<double>{c1, c2, s1, s2};
    for (std::size_t i = 0; i < 4; ++i) CHECK(double(y[i]) == doctest::Approx(expected[i]).epsilon(1e-6));
  }
}

TEST_CASE("rope_backward is the gradient of rope_forward") {
  for (bool adjacent : {true, false}) {
    RopeProblem p(3, 2, 6, adjacent);
    const auto dx = p.run(reference(), p.dy, false, 0, 3);
    CHECK(gradient_error(p.x, dx, [&] { return inner(p.dy, p.run(reference(), p.x, true, 0, 3)); }) < 5e-5);  // measured 1.5e-6
  }
}

}  // namespace namesake::test
