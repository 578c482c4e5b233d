// Launch: a kernel, over how many blocks and threads it runs, and how long that may take.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

namespace namesake::cuda {

/// Where a kernel is: `name` in ptx/sm_*/`module`.ptx. No two modules have a kernel of the same name.
struct KernelName {
  const char* module;
  const char* name;
};

/// A kernel with the struct that is its one argument (kernels/*_args.h): constexpr Kernel<AddArgs> kAdd{"rows", "add"}.
template <class Args>
struct Kernel : KernelName {
  static_assert(std::is_trivially_copyable_v<Args> && std::is_standard_layout_v<Args>, "the card gets a copy of its bytes");
  static_assert(sizeof(Args) <= 4096, "what a kernel can take");

  constexpr Kernel(const char* module, const char* name) : KernelName{module, name} {}
};

/// A size in up to three dimensions.
struct Extent {
  std::int64_t x = 1, y = 1, z = 1;
};

/// Blocks, and threads of a block. Where a number of blocks is 0 nothing runs. x goes up to 2^31 - 1 blocks, y and z to 65,535.
struct Shape {
  Extent blocks, threads;
};

/// What a launch does at most, as far as its time depends on it: products and sums, and bytes that its threads ask of memory.
struct Work {
  double flop = 0, bytes = 0;
};

/// The work of a launch that moves so many floats.
constexpr Work moves(std::int64_t floats) { return {0, 4.0 * static_cast<double>(floats)}; }

// What the slowest card that is taken does in a second: a third of the peaks of a GTX 1650 (5.9 TFLOP/s of 16-bit products, 128 GB/s).
inline constexpr double kSlowestFlop = 1.8e12, kSlowestBytes = 40e9;

/// Seconds that a launch takes on the slowest card, by its work alone: an estimate, which nothing but order and cancelling depends on.
constexpr double most_seconds(const Work& work) { return std::max(work.flop / kSlowestFlop, work.bytes / kSlowestBytes); }

constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// Enough blocks of `threads` for n items, one a thread.
constexpr Shape one_each(std::int64_t n, std::int64_t threads = 256) { return {{ceil_div(n, threads)}, {threads}}; }

}  // namespace namesake::cuda
