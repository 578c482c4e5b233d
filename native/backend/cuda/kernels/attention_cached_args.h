// Arguments of the kernels in kernels/attention_cached.cu, as the host gives them. Letters as in backend/ops.h; all arrays are in the
// card's memory, but for what says where rows stand: that comes with the launch, which saves two copies a call.
#pragma once

#include <cstdint>

namespace namesake::cuda {

/// The most rows of one launch.
inline constexpr std::int64_t kCachedRows = 64;

/// Keys that one block looks at, and its threads.
inline constexpr std::int64_t kCachedKeys = 64;
inline constexpr int kCachedThreads = 128;

/// Query heads, of one key/value head, that one block answers.
inline constexpr int kCachedHeads = 4;

/// Where the rows of a launch stand in the cache.
struct CachedPlaces {
  std::int32_t slots[kCachedRows];
  std::int32_t positions[kCachedRows];
};

/// Rows k and v [rows, width] go to their places in cache_k and cache_v [slots, capacity, width].
struct KvWriteArgs {
  const float* k;
  const float* v;
  float* cache_k;
  float* cache_v;
  std::int64_t capacity, width;
  std::int32_t aligned;  ///< 1: all rows begin at a multiple of 16 bytes, and width is a multiple of 4
  CachedPlaces places;
};

/// What one piece of keys gives one head of one row: its part of o is `out` [D] (apart) over what the exponents below sum up to.
struct alignas(8) CachedPiece {
  float most;  ///< largest score, in base 2
  float sum;   ///< of 2^(score - most)
};

/// q and o [rows, H, D], cache k and v [slots, capacity, G, D]; pieces [rows, H, count] and outs [rows, H, count, D] go from the first
/// kernel to the second.
struct AttentionCachedArgs {
  const float* q;
  const float* k;
  const float* v;
  CachedPiece* pieces;
  float* outs;
  float* o;
  std::int64_t capacity;
  std::int32_t count;  ///< pieces of the longest row
  std::int32_t heads, kv_heads, head_dim;
  std::int32_t aligned;  ///< as above, D a multiple of 4
  float scale;
  CachedPlaces places;
};

}  // namespace namesake::cuda
