// StoredRows: the rows of a fused q/k/v layer out of a file that stores them apart and paired.
#include "engine/stored_rows.h"

#include <cstring>

#include "doctest/doctest.h"

namespace namesake::test {

namespace {

/// A matrix whose row r is {base + r, base + r + 0.5}.
struct Numbered {
  Numbered(std::int64_t rows, float base) {
    for (std::int64_t r = 0; r < rows; ++r) {
      values.push_back(base + static_cast<float>(r));
      values.push_back(base + static_cast<float>(r) + 0.5f);
    }
    matrix = {BlockType::f32, rows, 2, reinterpret_cast<const std::byte*>(values.data())};
  }
  std::vector<float> values;
  Matrix matrix;
};

/// 4 query and 2 key/value heads of size 4.
Config grouped() {
  Config config;
  config.heads = 4;
  config.kv_heads = 2;
  config.head_dim = 4;
  return config;
}

}  // namespace

TEST_CASE("fused rows go by key head: its query heads, its key, its value; q and k unpaired") {
  const Numbered q(16, 0), k(8, 100), v(8, 200);
  const StoredRows rows = StoredRows::fused_qkv(grouped(), q.matrix, k.matrix, v.matrix);
  CHECK(rows.rows() == 32);
  CHECK(rows.cols() == 2);
  CHECK(rows.whole() == nullptr);
  CHECK(rows.type() == BlockType::f32);
  // A head's rows 0..3 are stored as 0, 2, 1, 3: pairs (0, 2) and (1, 3) of halves stand side by side.
  const std::vector<float> expected = {0,  2,  1,  3,  4,  6,  5,  7,  100, 102, 101, 103, 200, 201, 202, 203,
                                       8,  10, 9,  11, 12, 14, 13, 15, 104, 106, 105, 107, 204, 205, 206, 207};
  for (std::int64_t r = 0; r < rows.rows(); ++r) {
    CAPTURE(r);
    float decoded[2] = {}, stored[2] = {};
    rows.decode(r, decoded);
    std::memcpy(stored, rows.bytes(r), sizeof stored);
    CHECK(decoded[0] == expected[static_cast<std::size_t>(r)]);
    CHECK(decoded[1] == expected[static_cast<std::size_t>(r)] + 0.5f);
    CHECK(std::memcmp(stored, decoded, sizeof stored) == 0);
  }
}

TEST_CASE("rows of different formats have no common one, and are decoded each by its own") {
  const Numbered q(16, 0), k(8, 100);
  std::vector<std::uint16_t> halves;
  for (std::uint16_t i = 0; i < 16; ++i) halves.push_back(f32_to_bf16(static_cast<float>(i)));
  const Matrix v{BlockType::bf16, 8, 2, reinterpret_cast<const std::byte*>(halves.data())};
  const StoredRows rows = StoredRows::fused_qkv(grouped(), q.matrix, k.matrix, v);
  CHECK_FALSE(rows.type().has_value());
  float decoded[2] = {};
  rows.decode(13, decoded);  // the second row of the first value head
  CHECK(decoded[0] == 2);
  CHECK(decoded[1] == 3);
}

TEST_CASE("a matrix that is stored as the graph wants it stays the file's own") {
  const Numbered matrix(8, 0);
  const StoredRows rows(matrix.matrix);
  REQUIRE(rows.whole() != nullptr);
  CHECK(rows.whole()->data == matrix.matrix.data);
  CHECK(rows.type() == BlockType::f32);
  CHECK(rows.bytes(3) == matrix.matrix.row(3));
}

}  // namespace namesake::test
