// Four neighbouring floats at once: one access of 16 bytes where the caller knows that all rows are aligned for it, else four.
#pragma once

namespace namesake::cuda {

/// Values 4 group .. 4 group + 3 of a row of `width`, zeros past its end. `aligned`: the row begins at a multiple of 16 bytes and width
/// is a multiple of 4. Either way a thread gets the same values, so that sums do not depend on where a row lies.
__device__ __forceinline__ float4 load_4(const float* row, long long group, long long width, bool aligned) {
  if (aligned) return reinterpret_cast<const float4*>(row)[group];
  const long long i = 4 * group, left = width - i;
  return make_float4(row[i], left > 1 ? row[i + 1] : 0.0f, left > 2 ? row[i + 2] : 0.0f, left > 3 ? row[i + 3] : 0.0f);
}

/// Stores those that lie in the row.
__device__ __forceinline__ void store_4(float* row, long long group, long long width, bool aligned, float4 value) {
  if (aligned) {
    reinterpret_cast<float4*>(row)[group] = value;
    return;
  }
  const long long i = 4 * group, left = width - i;
  row[i] = value.x;
  if (left > 1) row[i + 1] = value.y;
  if (left > 2) row[i + 2] = value.z;
  if (left > 3) row[i + 3] = value.w;
}

}  // namespace namesake::cuda
