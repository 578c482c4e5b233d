// Peak: what this machine's processor can do at most, measured: multiply-adds in registers, and memory that is read.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "namesake/status.h"

namespace namesake {

/// Which peaks are asked for.
struct PeakQuestion {
  std::vector<std::string> isas;  ///< instruction sets by their names ("auto" too); each must be one that this CPU has
  bool f32_products = false;      ///< of each the products of f32 matrices, where it has others that are faster
  bool memory = false;            ///< the speed of reading, too
  int threads = 0;                ///< "all" of the answer; 0 = all physical cores
  double seconds = 0.5;           ///< of each loop, which is run on one thread and, where there are more, on all
};

/// A rate a second, on one thread and on all of them at the same time.
struct Peak {
  double one = 0, all = 0;
};

struct IsaPeak {
  std::string isa;
  bool bf16 = false;  ///< operands are bf16, sums f32; otherwise both are f32
  Peak flops;         ///< FLOP/s; a multiply-add is two
};

struct MemoryPeak {
  std::uint64_t array = 0;  ///< bytes that were read again and again
  Peak bytes;               ///< a second
};

struct PeakReport {
  int threads = 0;
  std::vector<IsaPeak> isas;  ///< as they were asked for
  std::optional<MemoryPeak> memory;
};

/// Measures them, each by the best of many windows of 20 ms over all threads, so that another program's turn on a core is in other
/// windows. Any thread; *cancel (may be nullptr) is looked at every few milliseconds. isa.unsupported | memory.insufficient | cancelled.
Result<PeakReport> measure_peak(const PeakQuestion& question, const std::atomic<bool>* cancel);

}  // namespace namesake
