// The ladder's table: what each rung asks of a card at the sizes of SmolLM2-135M, as the stand-in counts it, and the times that a roofline
// gives for it. `npm run ladder` prints it.
#include <cstdio>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "backend/attention_problem.h"
#include "backend/cuda/cuda_fixture.h"
#include "backend/linear_problem.h"
#include "ladder/roofline.h"
#include "ladder/rung_backend.h"

TEST_SUITE_BEGIN("ladder");

namespace namesake::test {

namespace {

/// A line of the table: the launches of an op on one rung.
struct Line {
  std::string rung;
  std::vector<CountedLaunch> launches;

  double sum(std::int64_t LaunchCounts::* member) const {
    double total = 0;
    for (const CountedLaunch& launch : launches) total += double(launch.counts.*member);
    return total;
  }
  double asked_bytes() const { return sum(&LaunchCounts::global_load_bytes) + sum(&LaunchCounts::global_store_bytes); }
  /// Of threads, beside those of mma.
  double others() const { return sum(&LaunchCounts::thread_instructions) - 32 * sum(&LaunchCounts::mma); }
};

struct Op {
  std::string name;
  std::vector<Rung> rungs;
  Rung beaten;            ///< the highest of them that the product asks less than
  double flop;            ///< that it takes, whatever a kernel computes again
  double argument_bytes;  ///< of what is read and written
  std::function<void(Backend&)> run;
};

std::string number(const char* format, double value) {
  char text[32];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

/// Microseconds, both ends of an estimate.
std::string range(const Estimate& seconds) {
  return number("%.1f", seconds.cached * 1e6) + "–" + number("%.1f", seconds.uncached * 1e6);
}

Op product(std::int64_t M, std::int64_t N, std::int64_t K, const std::vector<Rung>& rungs, Rung beaten) {
  const auto problem = std::make_shared<LinearProblem>(LinearShape{.type = BlockType::nf4, .M = M, .N = N, .K = K});
  const double m = double(M), n = double(N), k = double(K);
  return {"nf4 product, " + std::to_string(M) + " x " + std::to_string(N) + " x " + std::to_string(K), rungs, beaten, 2 * m * n * k,
          4 * m * (k + n) + n * k * 4.127 / 8, [=](Backend& backend) { problem->forward(backend, Phase::prefill, 0, M); }};
}

std::vector<Op> ops() {
  constexpr std::int64_t M = 128, H = 9, G = 3, D = 64;
  const auto attention = std::make_shared<AttentionProblem>(HeadShape{H, G, D}, std::vector<std::int64_t>{M}, true);
  constexpr double seen = double(H * M * (M + 1) / 2), query_bytes = 4.0 * H * D * M, key_bytes = 4.0 * G * D * M, lse_bytes = 4.0 * H * M;
  return {
      // The rung on tensor cores decodes W anew for each 64 rows, the product once: with few rows that is the dearer way.
      product(256, 576, 576, {Rung::naive, Rung::tiled, Rung::tensor}, Rung::tiled),
      product(1024, 1536, 576, {Rung::tensor}, Rung::tensor),
      {"attention, 128 tokens, H=9 G=3 D=64", {Rung::naive, Rung::tiled}, Rung::tiled, 4.0 * D * seen, 2 * query_bytes + 2 * key_bytes + lse_bytes,
       [=](Backend& backend) { attention->forward(backend, 0, 1); }},
      // do, q, o, dq · k, v, dk, dv
      {"its gradients", {Rung::naive, Rung::tiled}, Rung::tiled, 10.0 * D * seen, 4 * query_bytes + 4 * key_bytes + lse_bytes,
       [=](Backend& backend) { attention->backward(backend, 0, 1); }},
  };
}

}  // namespace

TEST_CASE("ladder: each rung asks less of a card than the one below it, and the product less than they") {
  if (!StandIn::there() || RungBackend::of(Rung::naive) == nullptr) return;
  std::string header = "| | rung | launches | bytes asked of global memory | FLOP a byte | mma | other instructions of threads |";
  std::string rule = "|---|---|---|---|---|---|---|";
  std::vector<CardPeaks> newer;
  for (const CardPeaks& card : cards()) {
    if (card.capability < 80) continue;  // its kernels are another family's
    newer.push_back(card);
    header += std::string(" ") + card.name + ", µs |";
    rule += "---|";
  }
  std::cout << "Counts of the stand-in; times are estimates of a roofline, not measured\n" << header << "\n" << rule << "\n";
  for (const Op& op : ops()) {
    std::vector<Line> lines;
    for (Rung rung : op.rungs) lines.push_back({text(rung), launches_of([&] { op.run(*RungBackend::of(rung)); })});
    lines.push_back({"product", launches_of([&] { op.run(*cuda_backend()); })});
    for (const Line& line : lines) {
      std::cout << "| " << op.name << " | " << line.rung << " | " << line.launches.size() << " | " << number("%.2f MB", line.asked_bytes() / 1e6)
                << " | " << number("%.1f", op.flop / line.asked_bytes()) << " | " << number("%.0f", line.sum(&LaunchCounts::mma)) << " | "
                << number("%.1f M", line.others() / 1e6) << " |";
      for (const CardPeaks& card : newer) std::cout << " " << range(estimate(card, line.launches, op.argument_bytes)) << " |";
      std::cout << "\n";
    }
    const auto check_less = [&](const Line& above, const Line& below) {
      INFO(op.name, ": ", above.rung, " beside ", below.rung);
      for (const CardPeaks& card : newer) {
        CHECK(estimate(card, above.launches, op.argument_bytes).uncached < estimate(card, below.launches, op.argument_bytes).uncached);
      }
    };
    for (std::size_t i = 0; i < op.rungs.size(); ++i) {
      if (i > 0) check_less(lines[i], lines[i - 1]);
      if (op.rungs[i] == op.beaten) check_less(lines.back(), lines[i]);
    }
  }
}

}  // namespace namesake::test

TEST_SUITE_END();
