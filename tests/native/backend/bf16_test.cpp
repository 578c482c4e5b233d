// Cases of to_bf16 and from_bf16.
#include "backend/bf16_problem.h"

namespace namesake::test {

TEST_CASE("bf16: rounding and its way back are those of the reference, bit for bit, and no value depends on those beside it") {
  for (std::int64_t n : {0, 1, 3, 17, 129, 40001}) {
    const Bf16Problem p(n);
    check_agrees("n=" + std::to_string(n), [&](Backend& backend) { return p.run(backend, 0, n); }, {0, 0});
    if (n == 129) check_rows_alone("n=129", n, [&](Backend& backend, std::int64_t first, std::int64_t count) { return p.run(backend, first, count); });
  }
}

TEST_CASE("bf16: to the nearest, ties to even, infinities and NaN as they are") {
  for (const Subject& subject : subjects()) check_bf16_values(*subject.by_threads[1]);
  check_bf16_values(reference());
}

}  // namespace namesake::test
