// Cases of add.
#include "backend/fixture.h"

namespace namesake::test {

TEST_CASE("add agrees with the reference, and an element does not depend on those beside it") {
  for (std::int64_t n : {0, 1, 3, 17, 129, 40001}) {
    Random random("add " + std::to_string(n));
    const auto x = random.normals(n), y = random.normals(n);
    const auto run = [&](Backend& backend, std::int64_t first, std::int64_t count) {
      Array ax(backend, slice(x, 1, first, count)), ay(backend, slice(y, 1, first, count));
      REQUIRE(backend.add(ax.data(), count, ay.data()).ok());
      return Outputs{ay.host()};
    };
    // Exact: one rounding of one sum.
    check_agrees("n=" + std::to_string(n), [&](Backend& backend) { return run(backend, 0, n); }, {0, 0});
    if (n == 129) check_rows_alone("n=129", n, run);
  }
  std::vector<float> sum{1, 2};
  const std::vector<float> more{0.5f, -4};
  REQUIRE(reference().add(more.data(), 2, sum.data()).ok());
  CHECK(sum == std::vector<float>{1.5f, -2});
}

}  // namespace namesake::test
