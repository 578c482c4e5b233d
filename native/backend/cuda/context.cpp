#include "backend/cuda/context.h"

namespace namesake::cuda {

Result<std::unique_ptr<Context>> Context::open(std::shared_ptr<const Driver> driver, int ordinal) {
  CUdevice device = 0;
  NAMESAKE_TRY(driver->status(driver->api().cuDeviceGet(&device, ordinal), "finding card " + std::to_string(ordinal)));
  std::unique_ptr<Context> context(new Context(std::move(driver), device));
  NAMESAKE_TRY(context->start());
  return context;
}

Status Context::start() {
  const Functions& api = driver_->api();
  NAMESAKE_TRY(driver_->status(api.cuDevicePrimaryCtxRetain(&context_, device_), "taking a place on the card"));
  NAMESAKE_TRY(bind());
  return driver_->status(api.cuStreamCreate(&stream_, CU_STREAM_NON_BLOCKING), "opening a stream");
}

// On a card that has failed these calls fail too, and there is nobody left to be told.
Context::~Context() {
  if (context_ == nullptr) return;
  const Functions& api = driver_->api();
  api.cuCtxSetCurrent(context_);
  if (stream_ != nullptr) api.cuStreamDestroy(stream_);
  api.cuCtxSetCurrent(nullptr);
  api.cuDevicePrimaryCtxRelease(device_);
}

Status Context::bind() const { return driver_->status(driver_->api().cuCtxSetCurrent(context_), "turning to the card"); }

Result<std::uint64_t> Context::free_memory() const {
  std::size_t free = 0, total = 0;
  NAMESAKE_TRY(driver_->status(driver_->api().cuMemGetInfo(&free, &total), "asking for the card's free memory"));
  return std::uint64_t{free};
}

Status Context::synchronise() const {
  return driver_->status(driver_->api().cuStreamSynchronize(stream_), "computing");
}

Result<std::unique_ptr<Event>> Event::make(const Context& context) {
  std::unique_ptr<Event> event(new Event(context.driver()));
  const unsigned flags = CU_EVENT_BLOCKING_SYNC | CU_EVENT_DISABLE_TIMING;
  NAMESAKE_TRY(event->driver_->status(event->driver_->api().cuEventCreate(&event->event_, flags), "making an event"));
  return event;
}

Event::~Event() {
  if (event_ != nullptr) driver_->api().cuEventDestroy(event_);
}

Status Event::record(CUstream stream) { return driver_->status(driver_->api().cuEventRecord(event_, stream), "recording an event"); }

Status Event::wait() const { return driver_->status(driver_->api().cuEventSynchronize(event_), "waiting for the card"); }

}  // namespace namesake::cuda
