#include "backend/cuda/pace.h"

#include <utility>

namespace namesake::cuda {
namespace {

// An event costs a little, so that several launches share one.
constexpr int kGroupLaunches = kMostLaunches / 4;
constexpr double kGroupSeconds = kMostSeconds / 4;

}  // namespace

Status Pace::close(const Context& context) {
  if (!spare_.empty()) {
    open_.end = std::move(spare_.back());
    spare_.pop_back();
  } else {
    auto made = Event::make(context);
    if (!made.ok()) return made.status();
    open_.end = made.take();
  }
  NAMESAKE_TRY(open_.end->record(context.stream()));
  groups_.push_back(std::exchange(open_, Group{}));
  return {};
}

Status Pace::launched(const Context& context, double seconds) {
  ++open_.launches, ++launches_;
  open_.seconds += seconds, seconds_ += seconds;
  if (open_.launches >= kGroupLaunches || open_.seconds >= kGroupSeconds) NAMESAKE_TRY(close(context));
  while (!groups_.empty() && (launches_ > kMostLaunches || seconds_ > kMostSeconds)) {
    Group oldest = std::move(groups_.front());
    groups_.pop_front();
    launches_ -= oldest.launches, seconds_ -= oldest.seconds;
    NAMESAKE_TRY(oldest.end->wait());
    spare_.push_back(std::move(oldest.end));
  }
  return {};
}

}  // namespace namesake::cuda
