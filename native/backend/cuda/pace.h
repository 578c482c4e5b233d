// Pace: keeps the host from running far ahead of the card.
#pragma once

#include <array>
#include <memory>

#include "backend/cuda/context.h"

namespace namesake::cuda {

/// A driver takes a thousand launches before it makes the host wait. They could not be taken back: a cancelled job would go on
/// for as long as they run. Its context must outlive it and be current.
class Pace {
 public:
  /// After each launch on the stream: the host waits once 32 of them are not done. Says what failed in those that are.
  Status launched(const Context& context);

 private:
  static constexpr int kGroup = 8;

  std::array<std::unique_ptr<Event>, 4> events_;  // each behind a group of launches
  std::size_t oldest_ = 0;
  int launches_ = 0;  // since the newest event
};

}  // namespace namesake::cuda
