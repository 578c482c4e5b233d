// Learning-rate schedules.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "namesake/trainer.h"

namespace namesake {

double schedule_factor(Schedule schedule, std::int64_t step, std::int64_t warmup_steps, std::int64_t steps) {
  if (step <= warmup_steps) return static_cast<double>(step) / static_cast<double>(warmup_steps);
  const double done = static_cast<double>(std::min(step, steps) - warmup_steps) /
                      static_cast<double>(std::max<std::int64_t>(steps - warmup_steps, 1));
  switch (schedule) {
    case Schedule::linear: return 1 - done;
    case Schedule::cosine: return 0.5 * (1 + std::cos(std::numbers::pi * done));
    case Schedule::constant: return 1;
  }
  return 1;
}

}  // namespace namesake
