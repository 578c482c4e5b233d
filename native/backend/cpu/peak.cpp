#include "namesake/peak.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <functional>
#include <memory>

#if defined(__linux__)
#include <unistd.h>
#endif

#include "backend/cpu/cpu_features.h"
#include "backend/cpu/memory.h"
#include "backend/cpu/thread_pool.h"
#include "backend/host_cores.h"
#include "backend/host_memory.h"

namespace namesake {
namespace {

using cpu::ThreadPool;
using Clock = std::chrono::steady_clock;

constexpr double kPieceSeconds = 0.001;   // far more than looking at a clock takes
constexpr double kWindowSeconds = 0.02;   // several turns of a scheduler: threads that share a core do not count twice
constexpr std::int64_t kPieceBytes = std::int64_t{4} << 20;
constexpr std::uint64_t kLeastArray = std::uint64_t{256} << 20, kMostArray = std::uint64_t{1} << 30;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// What came of the loops, so that a compiler does not drop them.
std::atomic<double> sink;

Status cancelled() { return Status::error(Code::cancelled, "cancelled while it was measured"); }

/// Work of a loop, in pieces of about kPieceSeconds: body(thread, piece).
struct Loop {
  double amount;  ///< of a piece
  std::function<void(std::int64_t, std::int64_t)> body;
};

/// When a piece began and ended, in seconds from the loop's start.
struct Piece {
  double start, end;
};

/// Pieces done a second in the best of all windows, over all threads.
double best_rate(const std::vector<std::vector<Piece>>& done, double seconds) {
  double last = seconds;
  for (const auto& pieces : done) last = std::max(last, pieces.back().end);
  const double window = std::min(kWindowSeconds, last);
  double best = 0;
  for (double from = 0; from + window <= last; from += window / 4) {
    double within = 0;
    for (const auto& pieces : done) {
      for (const Piece& piece : pieces) {
        const double overlap = std::min(piece.end, from + window) - std::max(piece.start, from);
        if (overlap > 0) within += overlap / (piece.end - piece.start);
      }
    }
    best = std::max(best, within / window);
  }
  return best;
}

/// The loop on all threads of a pool at the same time, each with pieces of its own: its rate.
Result<double> rate_of(const Loop& loop, ThreadPool& pool, double seconds, const std::atomic<bool>* cancel) {
  std::vector<std::vector<Piece>> done(static_cast<std::size_t>(pool.threads()));
  const auto start = Clock::now();
  const bool whole = pool.for_each(pool.threads(), cancel, [&](std::int64_t thread, int) {
    auto& pieces = done[static_cast<std::size_t>(thread)];
    do {
      const double from = seconds_since(start);
      loop.body(thread, static_cast<std::int64_t>(pieces.size()));
      pieces.push_back({from, seconds_since(start)});
    } while (pieces.back().end < seconds && !(cancel != nullptr && *cancel));
  });
  if (!whole || (cancel != nullptr && *cancel)) return cancelled();
  return best_rate(done, seconds) * loop.amount;
}

struct Pools {
  ThreadPool one{1};
  std::unique_ptr<ThreadPool> all;  ///< null where one thread is all of them
};

Result<Peak> peak_of(const Loop& loop, Pools& pools, double seconds, const std::atomic<bool>* cancel) {
  const auto one = rate_of(loop, pools.one, seconds, cancel);
  if (!one.ok() || !pools.all) return one.ok() ? Result<Peak>(Peak{one.value(), one.value()}) : one.status();
  const auto all = rate_of(loop, *pools.all, seconds, cancel);
  if (!all.ok()) return all.status();
  return Peak{one.value(), all.value()};
}

Result<IsaPeak> peak_of_isa(const std::string& isa, const PeakQuestion& question, Pools& pools, const std::atomic<bool>* cancel) {
  const auto table = cpu::find_kernels(isa);
  if (!table.ok()) return table.status();
  const bool narrow = table.value().narrow != nullptr && !question.f32_products;
  const cpu::Products& products = narrow ? *table.value().narrow : table.value().f32;
  // As many rounds as take a piece's time here: machines and instruction sets differ by a hundred times.
  std::int64_t rounds = 1000;
  const auto run = [&products, &rounds](std::int64_t, std::int64_t) { sink = static_cast<double>(products.burst(rounds)); };
  for (;; rounds *= 2) {
    const auto start = Clock::now();
    run(0, 0);
    if (seconds_since(start) >= kPieceSeconds) break;
  }
  const Loop loop{static_cast<double>(rounds * products.burst_flops), run};
  const auto flops = peak_of(loop, pools, question.seconds, cancel);
  if (!flops.ok()) return flops.status();
  return IsaPeak{table.value().isa, narrow, flops.value()};
}

/// Pieces of the array: four times the last cache, where the system tells its size, and no more than a quarter of what is free.
std::int64_t array_pieces(int threads) {
  std::uint64_t wanted = 2 * kLeastArray;
#if defined(_SC_LEVEL3_CACHE_SIZE)
  if (const long cache = sysconf(_SC_LEVEL3_CACHE_SIZE); cache > 0) wanted = 4 * static_cast<std::uint64_t>(cache);
#endif
  const std::uint64_t bytes = std::min(std::clamp(wanted, kLeastArray, kMostArray), available_host_memory() / 4);
  return std::max<std::int64_t>(static_cast<std::int64_t>(bytes) / kPieceBytes, threads);
}

/// Reads all words, in chains that do not wait for each other: plain code is many times faster than memory.
std::uint64_t read_words(const std::uint64_t* words, std::int64_t n) {
  std::uint64_t sum[32] = {};
  for (std::int64_t i = 0; i + 32 <= n; i += 32) {
    for (int lane = 0; lane < 32; ++lane) sum[lane] ^= words[i + lane];
  }
  std::uint64_t all = 0;
  for (const std::uint64_t lane : sum) all ^= lane;
  return all;
}

Result<MemoryPeak> peak_of_memory(const PeakQuestion& question, Pools& pools, const std::atomic<bool>* cancel) {
  const std::int64_t pieces = array_pieces(pools.all ? pools.all->threads() : 1);
  const auto bytes = static_cast<std::size_t>(pieces * kPieceBytes);
  const std::unique_ptr<void, void (*)(void*)> array(cpu::allocate_zeroed(bytes), cpu::release);
  if (!array) return Status::out_of_memory("reading memory", bytes, available_host_memory());
  auto* const start = static_cast<std::byte*>(array.get());
  // Written first: pages that nobody wrote are all the same one.
  const auto write = [start](std::int64_t piece, int) { std::memset(start + piece * kPieceBytes, 1, kPieceBytes); };
  if (!(pools.all ? *pools.all : pools.one).for_each(pieces, cancel, write)) return cancelled();
  // Threads start far from each other, so that none finds in a cache what another has just read.
  const std::int64_t apart = pieces / (pools.all ? pools.all->threads() : 1);
  const Loop loop{static_cast<double>(kPieceBytes), [start, pieces, apart](std::int64_t thread, std::int64_t piece) {
                    const std::byte* at = start + (thread * apart + piece) % pieces * kPieceBytes;
                    sink = static_cast<double>(read_words(reinterpret_cast<const std::uint64_t*>(at), kPieceBytes / 8));
                  }};
  const auto rate = peak_of(loop, pools, question.seconds, cancel);
  if (!rate.ok()) return rate.status();
  return MemoryPeak{bytes, rate.value()};
}

}  // namespace

Result<PeakReport> measure_peak(const PeakQuestion& question, const std::atomic<bool>* cancel) {
  Pools pools;
  const int threads = question.threads > 0 ? question.threads : physical_cores();
  if (threads > 1) pools.all = std::make_unique<ThreadPool>(threads);
  PeakReport report;
  report.threads = pools.all ? pools.all->threads() : 1;
  for (const std::string& isa : question.isas) {
    const auto peak = peak_of_isa(isa, question, pools, cancel);
    if (!peak.ok()) return peak.status();
    report.isas.push_back(peak.value());
  }
  if (question.memory) {
    const auto peak = peak_of_memory(question, pools, cancel);
    if (!peak.ok()) return peak.status();
    report.memory = peak.value();
  }
  return report;
}

}  // namespace namesake
