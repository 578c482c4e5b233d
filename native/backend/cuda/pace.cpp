#include "backend/cuda/pace.h"

namespace namesake::cuda {

Status Pace::launched(const Context& context) {
  if (++launches_ < kGroup) return {};
  launches_ = 0;
  std::unique_ptr<Event>& event = events_[oldest_];
  oldest_ = (oldest_ + 1) % events_.size();
  if (event) {
    NAMESAKE_TRY(event->wait());
  } else {
    auto made = Event::make(context);
    if (!made.ok()) return made.status();
    event = made.take();
  }
  return event->record(context.stream());
}

}  // namespace namesake::cuda
