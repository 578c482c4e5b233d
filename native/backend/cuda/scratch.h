// Scratch: memory on the card that an op needs while it runs, and how an op cuts it up.
#pragma once

#include <cstddef>
#include <cstdint>

#include "backend/ops.h"

namespace namesake::cuda {

/// Counts what an op needs and hands out where each piece begins, at multiples of 256 bytes. Whoever plans and whoever runs an op
/// fill the same struct:
///   struct LinearScratch { ScratchPlan plan; std::size_t x, w; LinearScratch(M, N, K) : x(plan.take(2 * M * K)), … };
class ScratchPlan {
 public:
  /// Room for `bytes`: its distance from the beginning.
  std::size_t take(std::int64_t bytes) {
    const std::size_t begin = bytes_;
    bytes_ += (static_cast<std::size_t>(bytes) + 255) / 256 * 256;
    return begin;
  }
  std::size_t bytes() const { return bytes_; }

 private:
  std::size_t bytes_ = 0;
};

/// 16-bit weights that a linear layer decodes at a time: they stay in the second-level cache of newer cards until the product has read
/// them, and one product stays far below the two seconds that a display driver allows.
inline constexpr std::int64_t kPanelBytes = std::int64_t{32} << 20;

// The most that a call of each group of ops needs, up to the sizes of `work`; beside the ops themselves.
std::size_t rows_scratch(const Workload& work);
std::size_t embedding_scratch(const Workload& work);
std::size_t linear_scratch(const Workload& work);
std::size_t attention_scratch(const Workload& work);
std::size_t head_loss_scratch(const Workload& work);
std::size_t optimizer_scratch(const Workload& work);

}  // namespace namesake::cuda
