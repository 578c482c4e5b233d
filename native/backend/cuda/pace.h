// Pace: keeps the host from running far ahead of the card.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "backend/cuda/context.h"

namespace namesake::cuda {

/// Launches that are not done, at most.
inline constexpr int kMostLaunches = 32;
/// Seconds that they take together on the slowest card, at most, before the next launch is added.
inline constexpr double kMostSeconds = 0.6;

/// A driver takes a thousand launches before it makes the host wait. They could not be taken back: a cancelled job would go on
/// for as long as they run. Its context must outlive it and be current.
class Pace {
 public:
  /// After each launch on the stream, which takes up to `seconds` (most_seconds): the host waits until no more than kMostLaunches and
  /// kMostSeconds are ahead of it. Says what failed in those that are done.
  Status launched(const Context& context, double seconds);

 private:
  /// Launches with an event behind them.
  struct Group {
    std::unique_ptr<Event> end;
    int launches = 0;
    double seconds = 0;
  };
  /// Puts the open group's event behind it.
  Status close(const Context& context);

  std::deque<Group> groups_;  // closed ones, the oldest first
  Group open_;
  std::vector<std::unique_ptr<Event>> spare_;
  int launches_ = 0;  // of all groups
  double seconds_ = 0;
};

}  // namespace namesake::cuda
