// Every rung of the ladder against the reference. The rung above them is the product's own, which the suite "cuda" checks.
#include "backend/attention_problem.h"
#include "backend/cuda/cuda_fixture.h"
#include "backend/linear_problem.h"
#include "ladder/rung_backend.h"

TEST_SUITE_BEGIN("ladder");

namespace namesake::test {

TEST_CASE("ladder: each rung of the block product agrees with the reference on odd shapes") {
  for (Rung rung : {Rung::naive, Rung::tiled, Rung::tensor}) {
    RungBackend* const backend = RungBackend::of(rung);
    if (backend == nullptr) return;
    // Sums in f32; operands of 11 bits. Measured on seeds 1-3: 3.2e-7, 3.2e-6; 3.1e-4, 1.6e-3.
    const Tolerance tolerance = rung == Rung::tensor ? Tolerance{8e-4, 5e-3, 1} : Tolerance{1e-6, 1e-5, 1};
    constexpr std::int64_t kSizes[][3] = {{0, 3, 64}, {1, 1, 64}, {17, 67, 192}, {65, 130, 320}};
    for (const auto& [M, N, K] : kSizes) {
      const LinearShape shape{.type = BlockType::nf4, .M = M, .N = N, .K = K};
      const LinearProblem problem(shape);
      check_card(*backend, std::string(text(rung)) + " " + shape.text(),
                 [&](Backend& each) { return problem.forward(each, Phase::prefill, 0, shape.M); }, tolerance);
    }
  }
}

TEST_CASE("ladder: each rung of attention agrees with the reference at every length of a sequence") {
  for (Rung rung : {Rung::naive, Rung::tiled}) {
    RungBackend* const backend = RungBackend::of(rung);
    if (backend == nullptr) return;
    for (HeadShape shape : {HeadShape{3, 1, 16}, {2, 2, 7}, {1, 1, 64}}) {
      for (bool causal : {true, false}) {
        const AttentionProblem p(shape, {0, 1, 17, 0, 64, 70, 0}, causal);
        const std::string what = std::string(text(rung)) + " " + text(shape) + (causal ? " causal" : " full");
        // Sums in f32. Measured on seeds 1-3: 5.0e-7, 6.0e-6; backward 7.9e-7, 1.4e-5.
        check_card(*backend, what, [&](Backend& each) { return p.forward(each, 0, p.lengths.size()); }, {2e-6, 2e-5});
        check_card(*backend, what + " backward", [&](Backend& each) { return p.backward(each, 0, p.lengths.size()); }, {3e-6, 4e-5});
      }
    }
  }
}

TEST_CASE("ladder: what rungs lack is refused") {
  RungBackend* const backend = RungBackend::of(Rung::tensor);
  if (backend == nullptr) return;
  const Array x(*backend, 64);
  float* const p = x.data();
  const std::int32_t cu_seqlens[] = {0, 1};
  const Matrix f32{BlockType::f32, 1, 64, nullptr, nullptr};
  CHECK(backend->linear_forward(f32, nullptr, nullptr, p, 1, nullptr, p, nullptr, Phase::prefill).code == Code::internal);
  CHECK(backend->attention_forward(p, p, p, cu_seqlens, 1, {1, 1, 16, true, 1}, p, p).code == Code::internal);
}

}  // namespace namesake::test

TEST_SUITE_END();
