// Linear layers of the CUDA backend against the reference.
#include "backend/linear_problem.h"

#include <algorithm>
#include <cmath>

#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/cuda_fixture.h"

TEST_SUITE_BEGIN("cuda");

namespace namesake::test {

namespace {

// Operands of products have 11 bits. Measured on seeds 1-3: 5.5e-4, 3e-3.
constexpr Tolerance kHalves{8e-4, 5e-3, 0.5};

// Decoding is f32 throughout. Measured on seeds 1-3: 1.2e-7, 7.3e-7.
constexpr Tolerance kDecode{4e-7, 3e-6, 0.5};

/// An output of few elements is measured against the root of its number of terms, too: those may cancel, and their rounding does not.
Tolerance with_terms(Tolerance tolerance, double deviation, std::int64_t terms) {
  tolerance.floor = std::max(tolerance.floor, deviation * std::sqrt(double(terms)));
  return tolerance;
}

/// Odd sizes for every block format, no multiple of a tile; options rotate.
std::vector<LinearShape> odd_shapes() {
  std::vector<LinearShape> shapes;
  const std::int64_t ranks[] = {0, 3, 16, 1, 20};
  constexpr std::pair<std::int64_t, std::int64_t> kSizes[] = {{1, 1}, {33, 67}, {130, 40}};
  std::size_t turn = 0;
  for (BlockType type : kBlockTypes) {
    for (std::int64_t M : {0, 1, 17, 65}) {
      const auto [N, K] = kSizes[turn % 3];
      LinearShape s{.type = type, .M = M, .N = N, .K = whole_blocks(type, K)};
      s.rank = ranks[turn % 5];
      s.bias = turn % 2;
      s.row_on = s.rank && turn % 3 == 0;
      s.accumulate = turn % 4 == 1;
      s.with_dx = turn % 7 != 3;
      s.residual = Residual(turn % 3);
      shapes.push_back(s);
      ++turn;
    }
  }
  return shapes;
}

}  // namespace

TEST_CASE("cuda: linear_forward agrees with the reference on odd shapes of every block format") {
  for (const LinearShape& shape : odd_shapes()) {
    const LinearProblem problem(shape);
    check_cuda(shape.text(), [&](Backend& backend) { return problem.forward(backend, Phase::prefill, 0, shape.M); },
               with_terms(kHalves, 0.2, shape.K));
  }
}

TEST_CASE("cuda: linear_forward of decoding agrees with the reference on odd shapes of every block format") {
  for (const LinearShape& shape : odd_shapes()) {
    const LinearProblem problem(shape);
    check_cuda(shape.text(), [&](Backend& backend) { return problem.forward(backend, Phase::decode, 0, shape.M); },
               with_terms(kDecode, 0.2, shape.K));
  }
}

TEST_CASE("cuda: linear_backward agrees with the reference on odd shapes of every block format") {
  for (const LinearShape& shape : odd_shapes()) {
    const LinearProblem problem(shape);
    check_cuda(shape.text(), [&](Backend& backend) { return problem.backward(backend, 0, shape.M); },
               with_terms(kHalves, 0.2, std::max(shape.M, shape.N)));
  }
}

TEST_CASE("cuda: a row of linear does not depend on the rows beside it") {
  LinearShape shape{.type = BlockType::q4_0, .M = 70, .N = 70, .K = 96, .rank = 16, .bias = true, .row_on = true};
  shape.residual = Residual::separate;
  const LinearProblem problem(shape);
  for (Phase phase : {Phase::prefill, Phase::decode}) {
    check_cuda_rows_alone(shape.text(), shape.M, [&](Backend& backend, std::int64_t first, std::int64_t count) {
      return problem.forward(backend, phase, first, count);
    });
  }
  check_cuda_rows_alone(shape.text() + " dx", shape.M, [&](Backend& backend, std::int64_t first, std::int64_t count) {
    return Outputs{problem.backward(backend, first, count)[0]};
  });
}

TEST_CASE("cuda: scratch is planned for a workload whose other sizes are 0") {
  const Backend* const backend = cuda_backend();
  if (backend == nullptr) return;
  CHECK(backend->scratch_bytes({.rank = 16, .rows = 3, .ffn_rows = 3, .backward = true}) >=
        backend->scratch_bytes({.rank = 16, .rows = 3, .ffn_rows = 3}));
}

TEST_CASE("cuda: linear_forward without an output gives xa, and the bits that it has beside one") {
  Backend* const backend = cuda_backend();
  if (backend == nullptr) return;
  for (const LinearShape& shape : {LinearShape{.type = BlockType::nf4, .M = 65, .N = 70, .K = 128, .rank = 16},
                                   LinearShape{.type = BlockType::q4_0, .M = 3, .N = 33, .K = 1056, .rank = 20, .row_on = true}}) {
    const LinearProblem problem(shape);
    CHECK(problem.low_rank_alone(*backend)[0] == problem.forward(*backend, Phase::prefill, 0, shape.M)[1]);
  }
}

TEST_CASE("cuda: rows with the adapter off are the base model's, bit for bit") {
  Backend* const backend = cuda_backend();
  if (backend == nullptr) return;
  const LinearProblem mixed(LinearShape{.type = BlockType::q8_0, .M = 33, .N = 65, .K = 96, .rank = 8, .row_on = true});
  LinearProblem base = mixed, all_on = mixed;
  base.shape.rank = 0;
  all_on.shape.row_on = false;
  for (Phase phase : {Phase::prefill, Phase::decode}) {
    const auto y = mixed.forward(*backend, phase, 0, 33)[0], off = base.forward(*backend, phase, 0, 33)[0],
               on = all_on.forward(*backend, phase, 0, 33)[0];
    for (std::int64_t m = 0; m < 33; ++m) {
      const auto& expected = mixed.row_on[static_cast<std::size_t>(m)] != 0 ? on : off;
      CHECK(slice(y, 65, m, 1) == slice(expected, 65, m, 1));
    }
    CHECK(y != off);
    CHECK(y != on);
  }
}

TEST_CASE("cuda: a matrix in panels is one matrix") {
  if (cuda_backend() == nullptr) return;
  auto& backend = static_cast<cuda::CudaBackend&>(*cuda_backend());
  backend.limit_panels(0);  // 128 rows
  for (bool accumulate : {false, true}) {
    const LinearProblem problem(LinearShape{.type = BlockType::q5_1, .M = 5, .N = 300, .K = 64, .rank = 3, .bias = true, .row_on = true,
                                            .accumulate = accumulate, .residual = Residual::separate});
    check_cuda("forward", [&](Backend& each) { return problem.forward(each, Phase::prefill, 0, 5); }, kHalves);
    check_cuda("backward", [&](Backend& each) { return problem.backward(each, 0, 5); }, kHalves);
  }
  backend.limit_panels(cuda::kPanelBytes);
}

TEST_CASE("cuda: linear layers whose rows are cut into more launches have the same bits") {
  if (cuda_backend() == nullptr) return;
  auto& backend = static_cast<cuda::CudaBackend&>(*cuda_backend());
  // Three parts of 128 rows; of B's gradient as many.
  const LinearProblem problem(LinearShape{.type = BlockType::q8_0, .M = 300, .N = 290, .K = 64, .rank = 3, .bias = true, .row_on = true,
                                          .accumulate = true, .residual = Residual::separate});
  const Outputs forward = problem.forward(backend, Phase::prefill, 0, 300), backward = problem.backward(backend, 0, 300);
  std::int64_t launches = 0;
  backend.watch_launches([&](const cuda::KernelName& kernel, const cuda::Work&) { launches += std::string(kernel.name).starts_with("gemm_"); });
  const auto check = [&](std::int64_t expected) {
    launches = 0;
    check_same_bits(problem.forward(backend, Phase::prefill, 0, 300), forward);
    check_same_bits(problem.backward(backend, 0, 300), backward);
    CHECK(launches == expected);
  };
  check(6);  // xa and y; dyb, dx, da and db
  backend.set_launch_flop(1);
  check(3 + 3 + 3 + 3 + 1 + 3);
  backend.set_launch_flop(cuda::kLaunchFlop);
  backend.watch_launches({});
}

// A row's largest value is put in range by a power of two of its own: activations beyond 65,504, and gradients far below what
// f16 can hold, beside rows of an everyday size.
TEST_CASE("cuda: rows of any size keep their precision") {
  LinearProblem problem(LinearShape{.type = BlockType::q4_0, .M = 9, .N = 33, .K = 64, .rank = 4, .row_on = true});
  const float sizes[] = {1, 1e6f, 1e-9f, 0, 3e4f, 1e-20f, 1e12f, 2e-7f, 5};
  const auto scale_rows = [&](std::vector<float>& values, std::int64_t width, std::int64_t first) {
    for (std::size_t i = 0; i < values.size(); ++i) values[i] *= sizes[(first + static_cast<std::int64_t>(i) / width) % 9];
  };
  scale_rows(problem.x, 64, 0);
  scale_rows(problem.dy, 33, 0);
  const auto rows_of = [](const std::vector<float>& values, std::int64_t width) {
    Outputs rows;
    for (std::int64_t m = 0; m < 9; ++m) rows.push_back(slice(values, width, m, 1));
    return rows;
  };
  const Tolerance row{kHalves.relative_l2, kHalves.max_over_rms, 0};
  check_cuda("forward, by row", [&](Backend& backend) { return rows_of(problem.forward(backend, Phase::prefill, 0, 9)[0], 33); }, row);
  check_cuda("dx, by row", [&](Backend& backend) { return rows_of(problem.backward(backend, 0, 9)[0], 64); }, row);
  // dA and dB sum over rows, and the largest decide: with x and dy of sizes that are each other's inverse they all count alike.
  const float small[] = {1, 1e6f, 1e-9f, 1, 3e4f, 1e-6f, 1e7f, 2e-7f, 5};
  LinearProblem even(LinearShape{.type = BlockType::q4_0, .M = 9, .N = 33, .K = 64, .rank = 4});
  for (std::int64_t m = 0; m < 9; ++m) {
    for (std::int64_t k = 0; k < 64; ++k) even.x[static_cast<std::size_t>(m * 64 + k)] *= small[m];
    for (std::int64_t n = 0; n < 33; ++n) even.dy[static_cast<std::size_t>(m * 33 + n)] /= small[m];
  }
  check_cuda("da, db", [&](Backend& backend) {
    const Outputs all = even.backward(backend, 0, 9);
    return Outputs{all[1], all[2]};
  }, kHalves);
}

}  // namespace namesake::test

TEST_SUITE_END();
