// Ops of rows.cu against the reference.
#include "backend/cuda/cuda_fixture.h"

TEST_SUITE_BEGIN("cuda");

namespace namesake::test {

TEST_CASE("cuda: add is exact") {
  for (std::int64_t n : {0, 1, 3, 17, 129, 4001}) {
    Random random("add " + std::to_string(n));
    const auto x = random.normals(n), y = random.normals(n);
    const auto run = [&](Backend& backend, std::int64_t first, std::int64_t count) {
      Array ax(backend, slice(x, 1, first, count)), ay(backend, slice(y, 1, first, count));
      REQUIRE(backend.add(ax.data(), count, ay.data()).ok());
      return Outputs{ay.host()};
    };
    // One rounding of one sum.
    check_cuda("n=" + std::to_string(n), [&](Backend& backend) { return run(backend, 0, n); }, {0, 0});
    if (n == 129) check_cuda_rows_alone("n=129", n, run);
  }
}

}  // namespace namesake::test

TEST_SUITE_END();
