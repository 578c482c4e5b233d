// Launch: a kernel, and over how many blocks and threads it runs.
#pragma once

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

constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// Enough blocks of `threads` for n items, one a thread.
constexpr Shape one_each(std::int64_t n, std::int64_t threads = 256) { return {{ceil_div(n, threads)}, {threads}}; }

}  // namespace namesake::cuda
