// Decoding of every block format on the card: f32 bit for bit as formats/blocks.cpp has it.
#include <bit>
#include <cmath>
#include <cstring>

#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/cuda_fixture.h"
#include "backend/cuda/decode.h"
#include "backend/cuda/stand_in_counts.h"
#include "backend/placed_matrix.h"

TEST_SUITE_BEGIN("cuda");

namespace namesake::test {

namespace {

/// Whether `bits` is the f16 that is nearest to the float, ties to even.
bool is_nearest(float value, std::uint16_t bits) {
  const auto distance = [&](int step) { return std::fabs(double(f16_to_f32(static_cast<std::uint16_t>(bits + step))) - double(value)); };
  const double here = distance(0), up = distance(1), down = (bits & 0x7fff) == 0 ? up : distance(-1);
  return here < std::min(up, down) || (here == std::min(up, down) && (bits & 1) == 0);
}

}  // namespace

TEST_CASE("cuda: embedding_forward is decode_row, for tables on the card and in the host's memory") {
  Backend* const backend = cuda_backend();
  if (backend == nullptr) return;
  for (BlockType type : kBlockTypes) {
    const std::int64_t V = 23, C = whole_blocks(type, 67);
    Random random(std::string("embedding ") + block_format(type).name);
    const Blocks table(type, V, C, random);
    const PlacedMatrix placed(*backend, table.matrix());
    for (std::int64_t M : {0, 1, 17}) {
      std::vector<std::int32_t> ids{std::int32_t(V - 1), 0};
      while (static_cast<std::int64_t>(ids.size()) < M) ids.push_back(std::int32_t(random.integer(0, V)));
      const Integers on_card(*backend, ids);
      std::vector<float> expected(static_cast<std::size_t>(M * C));
      for (std::int64_t m = 0; m < M; ++m) decode_row(table.matrix(), ids[static_cast<std::size_t>(m)], expected.data() + m * C);
      for (const Matrix& matrix : {placed.matrix(), table.matrix()}) {
        INFO(block_format(type).name, " M=", M, matrix.data == table.matrix().data ? " in the host's memory" : "");
        const auto run = [&](Backend& card) {
          const Array y(card, M * C);
          REQUIRE(card.embedding_forward(matrix, on_card.data(), M, y.data()).ok());
          return Outputs{y.host()};
        };
        check_same_bits(run_card(*backend, run), {expected});
        check_orders(*backend, run, {expected});
      }
    }
  }
}

TEST_CASE("cuda: rows for a product are decoded and rounded to the nearest") {
  if (cuda_backend() == nullptr) return;
  auto& backend = static_cast<cuda::CudaBackend&>(*cuda_backend());
  for (BlockType type : kBlockTypes) {
    const std::int64_t rows = 9, cols = whole_blocks(type, 67), ld = cuda::half_stride(cols), first = 2, count = 5;
    Random random(std::string("halves ") + block_format(type).name);
    const Blocks blocks(type, rows, cols, random);
    const PlacedMatrix placed(backend, blocks.matrix());
    const auto run = [&](Backend&) {
      const Array halves(backend, (count * ld + 1) / 2);
      REQUIRE(cuda::decode_rows(backend, placed.matrix(), first, count, reinterpret_cast<cuda::Half*>(halves.data()), ld).ok());
      return Outputs{halves.host()};
    };
    const std::vector<float> words = run_card(backend, run)[0];
    check_orders(backend, run, {words});
    std::vector<float> row(static_cast<std::size_t>(cols));
    std::int64_t wrong = 0;
    for (std::int64_t r = 0; r < count; ++r) {
      decode_row(blocks.matrix(), first + r, row.data());
      for (std::int64_t c = 0; c < cols; ++c) {
        std::uint16_t bits;
        std::memcpy(&bits, reinterpret_cast<const char*>(words.data()) + 2 * (r * ld + c), 2);
        wrong += !is_nearest(row[static_cast<std::size_t>(c)], bits);
      }
    }
    INFO(block_format(type).name);
    CHECK(wrong == 0);
  }
}

// How far decoding is from the ideal, by what the stand-in counts for nf4 [64, 512]: 16,384 bytes of codes, and a byte for each 64
// values and four for each 16,384 of scales.
TEST_CASE("cuda: decoding reads codes once, and a product of a row reads nothing else but the row") {
  if (cuda_backend() == nullptr || !StandIn::there()) return;
  auto& backend = static_cast<cuda::CudaBackend&>(*cuda_backend());
  const std::int64_t N = 64, K = 512, groups = N * K / 8;
  Random random("counts");
  const Blocks blocks(BlockType::nf4, N, K, random);
  const PlacedMatrix placed(backend, blocks.matrix());
  const Array halves(backend, N * K / 2), x(backend, random.normals(5 * K)), y(backend, 5 * N);
  // Eight values a thread: their codes, and both scales, which threads of a block share by way of the cache.
  const LaunchCounts decoded = counts_of("decode_nf4", [&] {
    REQUIRE(cuda::decode_rows(backend, placed.matrix(), 0, N, reinterpret_cast<cuda::Half*>(halves.data()), K).ok());
  });
  CHECK(decoded.global_load_bytes == groups * (4 + 1 + 4));
  CHECK(decoded.global_store_bytes == N * K * 2);
  for (std::int64_t M : {1, 5}) {
    const LaunchCounts multiplied = counts_of("gemv_nf4", [&] {
      REQUIRE(backend.linear_forward(placed.matrix(), nullptr, nullptr, x.data(), M, nullptr, y.data(), nullptr, Phase::decode).ok());
    });
    // Weights are read for four rows at a time, the row for two outputs: the latter comes from the first-level cache.
    const std::int64_t times = M == 1 ? 1 : 2, rows = M == 1 ? 1 : 8;
    CHECK(multiplied.global_load_bytes == times * groups * (4 + 1 + 4) + rows * (N / 2) * K * 4);
    CHECK(multiplied.global_store_bytes == M * N * 4);
  }
}

}  // namespace namesake::test

TEST_SUITE_END();
