// What is done row by row, or value by value.
#include "rows_args.h"

using namespace namesake::cuda;

/// y [n] += x [n]. One value a thread; blocks of 256.
extern "C" __global__ void __launch_bounds__(256) add(const AddArgs a) {
  const std::int64_t i = std::int64_t(blockIdx.x) * 256 + threadIdx.x;
  if (i < a.n) a.y[i] += a.x[i];
}
