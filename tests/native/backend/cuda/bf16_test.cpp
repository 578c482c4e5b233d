// Ops of bf16.cu against the reference.
#include <string>

#include "backend/bf16_problem.h"
#include "backend/cuda/cuda_fixture.h"

TEST_SUITE_BEGIN("cuda");

namespace namesake::test {

TEST_CASE("cuda: rounding to bf16 and its way back are those of the reference, bit for bit") {
  for (std::int64_t n : {0, 1, 2, 3, 17, 128, 129, 4001}) {
    const Bf16Problem p(n);
    check_cuda("n=" + std::to_string(n), [&](Backend& backend) { return p.run(backend, 0, n); }, {0, 0});
    if (n == 129) check_cuda_rows_alone("n=129", n, [&](Backend& backend, std::int64_t first, std::int64_t count) { return p.run(backend, first, count); });
  }
}

TEST_CASE("cuda: bf16 is the nearest, ties to even, infinities and NaN as they are") {
  if (Backend* card = cuda_backend()) check_bf16_values(*card);
}

}  // namespace namesake::test

TEST_SUITE_END();
