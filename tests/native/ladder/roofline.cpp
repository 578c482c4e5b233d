#include "ladder/roofline.h"

#include <algorithm>

namespace namesake::test {

namespace {

/// `fma`: products with their sums that a multiprocessor's tensor cores do in a cycle, from f16 to f32, dense.
constexpr CardPeaks peaks(const char* name, int capability, int multiprocessors, double clock, int fma, double bandwidth) {
  // Four schedulers issue an instruction of 32 threads a cycle each (CUDA C++ Programming Guide, "Compute Capabilities").
  return {name, capability, multiprocessors * clock * fma * 2, multiprocessors * clock * 128, bandwidth};
}

}  // namespace

const std::vector<CardPeaks>& cards() {
  static const std::vector<CardPeaks> all = {
      // Multiprocessors, boost clock and bandwidth: NVIDIA's product page. Tensor cores of GeForce cards add up in f32 at half of their
      // speed: 53.8 TFLOP/s of 68 multiprocessors at 1,545 MHz (Turing architecture whitepaper, RTX 2080 Ti).
      peaks("RTX 2060 6 GB", 75, 30, 1.680e9, 256, 336e9),
      // The same; 59.5 TFLOP/s of 68 multiprocessors at 1,710 MHz (Ampere GA102 architecture whitepaper, RTX 3080).
      peaks("RTX 3060 12 GB", 86, 28, 1.777e9, 256, 360e9),
      // 989.4 TFLOP/s of 132 multiprocessors, 3.35 TB/s (H100 data sheet and architecture whitepaper, SXM5). That peak is wgmma's, which no
      // kernel here uses.
      peaks("H100 SXM", 90, 132, 1.830e9, 2048, 3.35e12),
  };
  return all;
}

Estimate estimate(const CardPeaks& card, const std::vector<CountedLaunch>& launches, double argument_bytes) {
  Estimate sum{};
  for (const auto& [kernel, counts] : launches) {
    const double computed = std::max(double(counts.mma_flop) / card.products, double(counts.thread_instructions) / card.thread_instructions);
    sum.cached += computed;
    sum.uncached += std::max(computed, double(counts.global_load_bytes + counts.global_store_bytes) / card.bandwidth);
  }
  sum.cached = std::max(sum.cached, argument_bytes / card.bandwidth);
  return sum;
}

}  // namespace namesake::test
