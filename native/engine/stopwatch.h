// Stopwatch: seconds of the host's clock.
#pragma once

#include <chrono>

namespace namesake {

class Stopwatch {
 public:
  /// Seconds since it was made, or since the last lap.
  double lap() {
    const auto now = Clock::now();
    const double seconds = std::chrono::duration<double>(now - start_).count();
    start_ = now;
    return seconds;
  }

 private:
  using Clock = std::chrono::steady_clock;

  Clock::time_point start_ = Clock::now();
};

/// Adds the seconds of its life to a sum.
class TimedScope {
 public:
  explicit TimedScope(double& seconds) : seconds_(seconds) {}
  ~TimedScope() { seconds_ += watch_.lap(); }
  TimedScope(const TimedScope&) = delete;
  TimedScope& operator=(const TimedScope&) = delete;

 private:
  double& seconds_;
  Stopwatch watch_;
};

}  // namespace namesake
