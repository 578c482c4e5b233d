// Cases of split_qkv and join_qkv.
#include <numeric>
#include <tuple>

#include "backend/fused_qkv_problem.h"

namespace namesake::test {

TEST_CASE("split_qkv and join_qkv agree with the reference on odd shapes, and undo each other") {
  for (std::int64_t M : {0, 1, 3, 17, 129}) {
    for (const auto& [H, G, D] : {std::tuple{1, 1, 2}, std::tuple{4, 2, 16}, std::tuple{6, 2, 7}, std::tuple{6, 6, 14}, std::tuple{16, 8, 128}}) {
      const FusedQkvProblem p(M, H, G, D);
      // Exact: values are only moved.
      check_agrees("M=" + std::to_string(M) + " H=" + std::to_string(H) + " G=" + std::to_string(G) + " D=" + std::to_string(D),
                   [&](Backend& backend) { return p.run(backend, 0, M); }, {0, 0});
      CHECK(p.run(reference(), 0, M)[3] == p.qkv);
    }
  }
}

TEST_CASE("a row of split_qkv and join_qkv does not depend on the rows beside it") {
  const FusedQkvProblem p(129, 6, 2, 7);
  check_rows_alone("split and join", 129, [&](Backend& backend, std::int64_t first, std::int64_t count) {
    return p.run(backend, first, count);
  });
}

TEST_CASE("a fused row has, for each key head, its query heads, its key and its value") {
  FusedQkvProblem p(1, 4, 2, 1);
  std::iota(p.qkv.begin(), p.qkv.end(), 0.0f);
  const Outputs parts = p.run(reference(), 0, 1);
  CHECK(parts[0] == std::vector<float>{0, 1, 4, 5});
  CHECK(parts[1] == std::vector<float>{2, 6});
  CHECK(parts[2] == std::vector<float>{3, 7});
}

TEST_CASE("join_qkv is the gradient of split_qkv") {
  FusedQkvProblem p(2, 4, 2, 3);
  Random random("fused qkv gradient");
  const auto dq = random.normals(2 * 4 * 3), dk = random.normals(2 * 2 * 3), dv = random.normals(2 * 2 * 3);
  std::vector<float> dqkv(p.qkv.size());
  REQUIRE(reference().join_qkv(dq.data(), dk.data(), dv.data(), 2, 4, 2, 3, dqkv.data()).ok());
  CHECK(gradient_error(p.qkv, dqkv, [&] {
          const Outputs parts = p.run(reference(), 0, 2);
          return inner(dq, parts[0]) + inner(dk, parts[1]) + inner(dv, parts[2]);
        }) < 5e-5);
}

}  // namespace namesake::test
