// Arguments of the kernels in rows.cu.
#pragma once

#include <cstdint>

namespace namesake::cuda {

/// y += x, n values each.
struct AddArgs {
  const float* x;
  std::int64_t n;
  float* y;
};

}  // namespace namesake::cuda
