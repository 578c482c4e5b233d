// Arguments of the kernels in rows.cu, as the host gives them. Letters as in backend/ops.h; all arrays are in the card's memory.
#pragma once

#include <cstdint>

namespace namesake::cuda {

/// Threads of a block of every kernel of this group.
inline constexpr int kRowThreads = 256;

/// The widest row that one warp takes (eight rows a block, kernels *_warp); a wider one has a block of its own (*_block).
inline constexpr std::int64_t kWarpRow = 1024;

/// y [n] += x.
struct AddArgs {
  const float* x;
  float* y;
  std::int64_t n;
  std::int32_t aligned;  ///< 1: n is a multiple of 4, and both begin at multiples of 16 bytes
};

/// y [M, C] = x rstd weight, rstd [M] (nullptr: not wanted). y may be x.
struct RmsnormForwardArgs {
  const float* x;
  const float* weight;
  float* y;
  float* rstd;
  std::int64_t M, C;
  float eps;
  std::int32_t aligned;  ///< 1: every row of x, y and weight begins at a multiple of 16 bytes, and C is a multiple of 4
};

/// dx [M, C] += the gradient at x for dy.
struct RmsnormBackwardArgs {
  const float* dy;
  const float* x;
  const float* weight;
  const float* rstd;
  float* dx;
  std::int64_t M, C;
  std::int32_t aligned;
};

/// x [M, heads, D] is turned in place. Four neighbouring pairs a thread where aligned, else one; `pairs` threads' worth in a row.
struct RopeArgs {
  float* x;
  const std::int32_t* positions;  ///< [M]
  const float* cos;               ///< [.., D / 2]
  const float* sin;
  std::int64_t heads, D;
  float direction;                ///< +1 forward, -1 back
  std::int32_t adjacent;          ///< pairs are (2i, 2i + 1), else (i, i + D / 2)
  std::int32_t aligned;           ///< 1: D / 2 is a multiple of 4, and x, cos and sin begin at multiples of 16 bytes
};

/// fused [M, G, H / G + 2, D] and q [M, H, D], k and v [M, G, D]; one of the two sides is read, the other written.
struct FusedQkvArgs {
  float* fused;
  float* q;
  float* k;
  float* v;
  std::int64_t heads, kv_heads, D;
  std::int32_t aligned;  ///< 1: D is a multiple of 4, and all four begin at multiples of 16 bytes
};

/// y [n] = silu(gate) up.
struct SwigluForwardArgs {
  const float* gate;
  const float* up;
  float* y;
  std::int64_t n;
  std::int32_t aligned;  ///< 1: n is a multiple of 4, and all begin at multiples of 16 bytes
};

/// dgate (may be gate) and dup (may be up) from dy.
struct SwigluBackwardArgs {
  const float* dy;
  const float* gate;
  const float* up;
  float* dgate;
  float* dup;
  std::int64_t n;
  std::int32_t aligned;
};

}  // namespace namesake::cuda
