// Ops of optimizer.cu against the reference.
#include <algorithm>
#include <string>
#include <vector>

#include "backend/cuda/cuda_fixture.h"
#include "backend/optimizer_problem.h"

TEST_SUITE_BEGIN("cuda");

namespace namesake::test {

TEST_CASE("cuda: adamw agrees with the reference") {
  for (std::int64_t n : {0, 1, 3, 17, 128, 4001}) {
    for (std::int64_t step : {1, 2, 1000}) {
      const AdamWProblem problem(n, step);
      check_cuda("n=" + std::to_string(n) + " step=" + std::to_string(step), [&](Backend& backend) { return problem.run(backend, 0, n); },
                 {1e-6, 1e-5});  // measured on seeds 1-3: 1.2e-7, 4.4e-7
    }
  }
}

TEST_CASE("cuda: adamw of an element does not depend on those beside it") {
  const AdamWProblem problem(129, 2);
  check_cuda_rows_alone("n=129", 129, [&](Backend& backend, std::int64_t first, std::int64_t count) {
    return problem.run(backend, first, count);
  });
}

TEST_CASE("cuda: adamw_8bit agrees with the reference, and follows bitsandbytes") {
  for (std::int64_t n : {0, 1, 3, 129, 256, 4001, 4004, 4096}) {
    for (std::int64_t step : {1, 1000}) {
      const AdamW8BitProblem problem(n, step);
      const std::string what = "n=" + std::to_string(n) + " step=" + std::to_string(step);
      constexpr Tolerance kFloats{1e-6, 1e-5};
      check_cuda(what, [&](Backend& backend) { return problem.run(backend, 0, n).all(); },
                 {kFloats, kFloats, kFloats, kNeighbouringCodes, kNeighbouringCodes});
    }
  }
  if (Backend* const backend = cuda_backend()) check_follows_bitsandbytes(*backend);
}

TEST_CASE("cuda: adamw_8bit of a block does not depend on those beside it") {
  const AdamW8BitProblem problem(18 * kDynamicBlock, 2);
  check_cuda_rows_alone("18 blocks", 18, [&](Backend& backend, std::int64_t first, std::int64_t count) {
    return problem.run_blocks(backend, first, count);
  });
}

// Each array is an allocation of its own here: the guards of Array and Codes would take reads past its end.
TEST_CASE("cuda: adamw_8bit reads nothing outside of its arrays") {
  Backend* const backend = cuda_backend();
  if (backend == nullptr) return;
  const std::int64_t n = 5;
  std::vector<void*> memory;
  for (std::int64_t bytes : {4 * n, 4 * n, n, std::int64_t{4}, n, std::int64_t{4}}) {
    auto made = backend->allocate(static_cast<std::size_t>(bytes));
    REQUIRE(made.ok());
    memory.push_back(made.value());
  }
  const auto floats = [&](std::size_t i) { return static_cast<float*>(memory[i]); };
  const auto codes = [&](std::size_t i) { return static_cast<std::uint8_t*>(memory[i]); };
  REQUIRE(backend->adamw_8bit({}, n, floats(0), floats(1), codes(2), floats(3), codes(4), floats(5)).ok());
  float last = 1;
  REQUIRE(backend->download(&last, floats(1) + n - 1, sizeof last).ok());  // what failed on the card shows here at the latest
  CHECK(last == 0);
  for (void* each : memory) backend->release(each);
}

TEST_CASE("cuda: sum_of_squares agrees with the reference to f64, and has the same bits wherever the values lie") {
  for (std::int64_t n : {0, 1, 3, 17, 128, 16384, 40001}) {
    Random random("squares " + std::to_string(n));
    auto x = random.normals(n);
    for (float& value : x) value /= 3;  // the generator's multiples of 2^-12 have exact sums
    // The sum as two floats, which have all of its bits that matter here.
    const auto run = [&](Backend& backend, std::size_t shift) {
      std::vector<float> shifted(x.size() + shift);
      std::copy(x.begin(), x.end(), shifted.end() - n);
      Array ax(backend, shifted);
      double sum = -1;
      REQUIRE(backend.sum_of_squares(ax.data() + shift, n, &sum).ok());
      const float high = float(sum);
      return std::vector<float>{high, float(sum - double(high))};
    };
    // Measured on seeds 1-3: 1.1e-13, which is the reference's own: it adds up one after the other.
    check_cuda("n=" + std::to_string(n), [&](Backend& backend) { return Outputs{run(backend, 0)}; }, {3e-13, 3e-13});
    if (Backend* const backend = cuda_backend()) CHECK(run(*backend, 1) == run(*backend, 0));
  }
}

}  // namespace namesake::test

TEST_SUITE_END();
