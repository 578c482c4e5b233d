// Ops of rows.cu against the reference.
#include <string>
#include <tuple>

#include "backend/cuda/cuda_fixture.h"
#include "backend/fused_qkv_problem.h"
#include "backend/rmsnorm_problem.h"
#include "backend/rope_problem.h"
#include "backend/swiglu_problem.h"

TEST_SUITE_BEGIN("cuda");

namespace namesake::test {

namespace {

// Measured on seeds 1-3: 1.2e-7, 1.8e-6.
constexpr Tolerance kRmsnorm{1e-6, 1e-5, 1};
// 6.7e-8, 4.8e-7.
constexpr Tolerance kRope{2e-7, 2e-6};
// 1.2e-7, 1.5e-6.
constexpr Tolerance kSwiglu{1e-6, 1e-5};

/// Arrays of an odd length or place keep kernels from taking four floats at a time; these are shapes of both kinds.
constexpr std::int64_t kRows[] = {0, 1, 3, 17};

}  // namespace

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

TEST_CASE("cuda: rmsnorm agrees with the reference on odd shapes") {
  for (std::int64_t C : {1, 7, 64, 1001, 1024, 1028, 2049}) {
    for (std::int64_t M : kRows) {
      const RmsnormProblem problem(M, C);
      const std::string what = "M=" + std::to_string(M) + " C=" + std::to_string(C);
      check_cuda(what, [&](Backend& backend) { return problem.forward(backend, 0, M); }, kRmsnorm);
      check_cuda(what + " backward", [&](Backend& backend) { return problem.backward(backend, 0, M); }, kRmsnorm);
    }
  }
}

TEST_CASE("cuda: a row of rmsnorm does not depend on the rows beside it") {
  for (std::int64_t C : {77, 1028}) {
    const RmsnormProblem problem(129, C);
    check_cuda_rows_alone("forward", 129, [&](Backend& backend, std::int64_t first, std::int64_t count) {
      return problem.forward(backend, first, count);
    });
    check_cuda_rows_alone("backward", 129, [&](Backend& backend, std::int64_t first, std::int64_t count) {
      return problem.backward(backend, first, count);
    });
  }
}

TEST_CASE("cuda: rope agrees with the reference on odd shapes") {
  for (bool adjacent : {true, false}) {
    for (std::int64_t D : {2, 14, 16, 128}) {
      for (std::int64_t M : kRows) {
        const RopeProblem p(M, D == 14 ? 1 : 3, D, adjacent);
        check_cuda("M=" + std::to_string(M) + " D=" + std::to_string(D) + " adjacent=" + std::to_string(adjacent),
                   [&](Backend& backend) {
                     return Outputs{p.run(backend, p.x, true, 0, M), p.run(backend, p.dy, false, 0, M)};
                   },
                   kRope);
      }
    }
  }
}

TEST_CASE("cuda: a row of rope does not depend on the rows beside it") {
  for (std::int64_t D : {14, 16}) {
    const RopeProblem p(129, 3, D, true);
    check_cuda_rows_alone("forward and backward", 129, [&](Backend& backend, std::int64_t first, std::int64_t count) {
      return Outputs{p.run(backend, p.x, true, first, count), p.run(backend, p.dy, false, first, count)};
    });
  }
}

TEST_CASE("cuda: split_qkv and join_qkv move every value to its place") {
  for (std::int64_t M : kRows) {
    for (const auto& [H, G, D] : {std::tuple{1, 1, 2}, std::tuple{4, 2, 16}, std::tuple{6, 2, 7}, std::tuple{6, 6, 14}, std::tuple{16, 8, 128}}) {
      const FusedQkvProblem p(M, H, G, D);
      // Exact: values are only moved.
      check_cuda("M=" + std::to_string(M) + " H=" + std::to_string(H) + " G=" + std::to_string(G) + " D=" + std::to_string(D),
                 [&](Backend& backend) { return p.run(backend, 0, M); }, {0, 0});
    }
  }
  const FusedQkvProblem p(129, 6, 2, 7);
  check_cuda_rows_alone("split and join", 129, [&](Backend& backend, std::int64_t first, std::int64_t count) {
    return p.run(backend, first, count);
  });
}

TEST_CASE("cuda: swiglu agrees with the reference on odd sizes, in place too") {
  for (std::int64_t n : {0, 1, 3, 17, 128, 129, 129 * 37}) {
    const SwigluProblem p(n);
    const std::string what = "n=" + std::to_string(n);
    check_cuda(what, [&](Backend& backend) { return p.forward(backend, 0, n); }, kSwiglu);
    for (bool in_place : {false, true}) {
      check_cuda(what + " backward", [&](Backend& backend) { return p.backward(backend, 0, n, in_place); }, kSwiglu);
    }
  }
}

TEST_CASE("cuda: swiglu stays finite where exp overflows") {
  SwigluProblem p(64, 1);
  for (std::size_t i = 0; i < 64; ++i) p.gate[i] = (i % 2 ? -1.0f : 1.0f) * (20.0f + 8.0f * float(i));
  check_cuda("gate from -524 to 516", [&](Backend& backend) { return p.forward(backend, 0, 64); }, kSwiglu);
  check_cuda("backward", [&](Backend& backend) { return p.backward(backend, 0, 64, false); }, kSwiglu);
}

TEST_CASE("cuda: an element of swiglu does not depend on those beside it") {
  const SwigluProblem p(129);
  check_cuda_rows_alone("both", 129, [&](Backend& backend, std::int64_t first, std::int64_t count) {
    Outputs outputs = p.backward(backend, first, count, true);
    outputs.push_back(p.forward(backend, first, count)[0]);
    return outputs;
  });
}

}  // namespace namesake::test

TEST_SUITE_END();
