// Products by AMX's tiles: the software tile file that other tests run them on, and the instructions themselves.
#if defined(__x86_64__)

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <functional>
#include <iostream>
#include <limits>

#include "backend/amx/soft_tiles.h"
#include "backend/amx/tile_backends.h"
#include "backend/amx/tile_traps.h"
#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/cpu_features.h"
#include "backend/head_loss_problem.h"
#include "backend/linear_problem.h"

namespace namesake::test {

namespace {

/// A backend on a software tile file, null (and said) where the CPU lacks what it needs beside.
std::unique_ptr<Backend> soft_backend(int threads) {
  auto made = make_backend(kSoftTiles, threads);
  if (made.ok()) return made.take();
  std::cout << "skipped: " << doctest::getContextOptions()->currentTest->m_name << " (" << made.status().message << ")\n";
  return nullptr;
}

/// Tiles 0, 1 and 2 of 16 x 16 words.
cpu::TileConfig three_tiles() {
  cpu::TileConfig config = {};
  config.palette = 1;
  for (int tile : {0, 1, 2}) {
    config.rows[tile] = 16;
    config.row_bytes[tile] = 64;
  }
  return config;
}

/// A word of two bf16, given as f32 that bf16 holds.
std::uint32_t word(float first, float second) { return std::bit_cast<std::uint32_t>(second) | std::bit_cast<std::uint32_t>(first) >> 16; }

/// Element (0, 0) of c + a b, where a's first row and b's first column hold these words.
float element(float c, const std::vector<std::uint32_t>& a, const std::vector<std::uint32_t>& b) {
  std::array<std::uint32_t, 256> left = {}, right = {};
  std::array<float, 256> sums = {c};
  for (std::size_t k = 0; k < a.size(); ++k) {
    left[k] = a[k];
    right[16 * k] = b[k];
  }
  TileFile tiles;
  tiles.configure(three_tiles());
  tiles.load(0, sums.data(), 64);
  tiles.load(1, left.data(), 64);
  tiles.load(2, right.data(), 64);
  tiles.multiply(0, 1, 2);
  tiles.store(0, sums.data(), 64);
  for (std::size_t i = 1; i < sums.size(); ++i) CHECK(sums[i] == 0);
  return sums[0];
}

LinearProblem small_problem() {
  LinearShape shape{.type = BlockType::q4_1, .M = 45, .N = 50, .K = 96, .rank = 5, .bias = true, .row_on = true};
  shape.residual = Residual::separate;
  return LinearProblem(shape);
}

/// Everything that tiles compute, of a few odd shapes.
Outputs products(Backend& backend) {
  Outputs all;
  const auto put = [&](const Outputs& some) { all.insert(all.end(), some.begin(), some.end()); };
  for (std::int64_t M : {1, 16, 17, 45}) {
    LinearShape shape{.type = BlockType::q8_0, .M = M, .N = 50, .K = 96, .rank = 5, .bias = M == 17, .accumulate = M == 16};
    const LinearProblem problem(shape);
    put(problem.forward(backend, Phase::prefill, 0, M));
    put(problem.backward(backend, 0, M));
  }
  put(HeadLossProblem(HeadLossShape{.type = BlockType::q8_0, .M = 33, .V = 37, .C = 64}).run(backend, 0, 33));
  return all;
}

}  // namespace

TEST_CASE("tiles: tdpbf16ps adds first and second halves apart, rounds to nearest even and knows no subnormals") {
  if (!make_backend(kSoftTiles, 1).ok()) return;  // said by subjects
  CHECK(element(0.5f, {word(3, 5)}, {word(2, 7)}) == 41.5f);
  // First halves: 2^24 + 1 is a tie that goes to 2^24; second ones: 1 + 1. One chain would lose all three ones.
  CHECK(element(0, {word(0x1p24f, 1), word(1, 1)}, {word(1, 1), word(1, 1)}) == 0x1p24f + 2);
  // The other tie: 2^24 + 2 + 1 goes up to an even mantissa.
  CHECK(element(0, {word(0x1p24f, 0), word(2, 0), word(1, 0)}, {word(1, 0), word(1, 0), word(1, 0)}) == 0x1p24f + 4);
  // C is added last: 2^24 + (1 + 1).
  CHECK(element(0x1p24f, {word(1, 1)}, {word(1, 1)}) == 0x1p24f + 2);
  CHECK(element(0, {word(0x1p-130f, 0)}, {word(0x1p100f, 0)}) == 0);                                      // a subnormal of A
  CHECK(element(0, {word(0x1p100f, 0)}, {word(0x1p-130f, 0)}) == 0);                                      // of B
  CHECK(element(0x1p-130f, {word(1, 0)}, {word(0, 0)}) == 0);                                             // of C
  CHECK(element(0, {word(0x1p-100f, 0), word(0x1p-100f, 0)}, {word(0x1p-28f, 0), word(0x1p-27f, 0)}) == 0);  // of a sum
  CHECK(element(0, {word(0x1p-100f, 0)}, {word(0x1p-26f, 0)}) == 0x1p-126f);
}

TEST_CASE("tiles are configured by each op and left unused behind it, whatever others do between") {
  const auto backend = soft_backend(1);
  if (!backend) return;
  const LinearProblem problem = small_problem();
  TileFile& tiles = TileFile::of_this_thread();
  const Outputs first = problem.forward(*backend, Phase::prefill, 0, 45);
  CHECK_FALSE(tiles.configured());
  tiles.configure(three_tiles());
  check_same_bits(problem.forward(*backend, Phase::prefill, 0, 45), first);
  CHECK_FALSE(tiles.configured());
}

TEST_CASE("linear layers and the head by tiles keep to the scratch that they reserve, and read nothing there that they did not write") {
  const auto backend = soft_backend(1);
  if (!backend) return;
  constexpr std::int64_t M = 45, C = 3, kGuard = 4096;
  constexpr float kRubbish = std::numeric_limits<float>::quiet_NaN();
  const auto check = [&](const cpu::ScratchNeed& need, const std::function<Outputs()>& run) {
    const Outputs expected = run();
    const auto floats = static_cast<std::size_t>(need.floats(1));
    std::vector<float> memory(floats + kGuard, kRubbish);
    backend->lend_scratch(memory.data(), floats * sizeof(float));
    const Outputs actual = run();
    backend->lend_scratch(nullptr, 0);
    check_same_bits(actual, expected);
    CHECK(std::all_of(memory.end() - kGuard, memory.end(), [](float value) { return std::isnan(value); }));
  };
  for (std::int64_t V : {1, 37, 1030}) {
    for (std::int64_t rank : {0, 1, 200}) {
      CAPTURE(V);
      CAPTURE(rank);
      const LinearProblem linear(LinearShape{.type = BlockType::bf16, .M = M, .N = V, .K = C, .rank = rank});
      const HeadLossProblem head(HeadLossShape{.type = BlockType::bf16, .M = M, .V = V, .C = C});
      check(cpu::linear_forward_scratch(M, C, rank, kSoftTileProducts), [&] { return linear.forward(*backend, Phase::prefill, 0, M); });
      check(cpu::linear_backward_scratch(M, V, rank, kSoftTileProducts), [&] { return linear.backward(*backend, 0, M); });
      check(cpu::HeadBuffers(M, true, V, C, kSoftTileProducts).need(C), [&] { return head.run(*backend, 0, M); });
    }
  }
}

#if defined(__linux__)
TEST_CASE("AMX's instructions, each done by the software tile file, give the bits of the products that call it") {
  const auto soft = soft_backend(2);
  if (!soft) return;
  if (make_cpu_backend("amxbf16", 1).ok()) {
    std::cout << "skipped: AMX's instructions as traps (this CPU has them: other tests run them)\n";
    return;
  }
  cpu::KernelTable table = cpu::find_kernels("avx512bf16").value();
  table.isa = "amxbf16";
  table.narrow = &cpu::kAmxBf16Products;
  const TileTraps traps;
  cpu::CpuBackend trapped(table, 2);
  const std::int64_t before = TileTraps::done();
  check_same_bits(products(trapped), products(*soft));
  CHECK(TileTraps::done() - before > 1000);
}
#endif

}  // namespace namesake::test

#endif
