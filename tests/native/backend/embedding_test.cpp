// Cases of embedding_forward.
#include "backend/fixture.h"

namespace namesake::test {

TEST_CASE("embedding_forward decodes the rows that are asked for, in every block format") {
  for (BlockType type : kBlockTypes) {
    const std::int64_t V = 53, C = whole_blocks(type, 67);
    Random random(std::string("embedding ") + block_format(type).name);
    const Blocks table(type, V, C, random);
    for (std::int64_t M : {0, 1, 3, 17, 129}) {
      std::vector<std::int32_t> ids{0, std::int32_t(V - 1)};
      while (static_cast<std::int64_t>(ids.size()) < M) ids.push_back(std::int32_t(random.integer(0, V)));
      const auto run = [&](Backend& backend) {
        Array y(backend, M * C);
        REQUIRE(backend.embedding_forward(table.matrix(), ids.data(), M, y.data()).ok());
        return Outputs{y.host()};
      };
      // Equal: products of scales and quants are exact in f32, so that a fused multiply-add rounds as often as the specification.
      check_agrees(std::string(block_format(type).name) + " M=" + std::to_string(M), run, {0, 0});

      const auto y = run(reference())[0];
      for (std::int64_t m = 0; m < M; ++m) {
        std::vector<float> row(static_cast<std::size_t>(C));
        decode_row(table.matrix(), ids[static_cast<std::size_t>(m)], row.data());
        CHECK(slice(y, C, m, 1) == row);
      }
    }
  }
}

}  // namespace namesake::test
