// Context: this program's place on a card, with the stream that its work goes through, and events in it.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "backend/cuda/driver.h"

namespace namesake::cuda {

/// A card's primary context (the one that every part of a process shares), held as long as this object lives. Work goes
/// through one stream, in its order. One thread at a time.
class Context {
 public:
  /// Takes a place on card `ordinal` and makes it current in this thread. gpu.memory_insufficient or gpu.failed.
  static Result<std::unique_ptr<Context>> open(std::shared_ptr<const Driver> driver, int ordinal);
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  /// Makes it current in the calling thread: before the first call of a job, because each may run in another thread.
  Status bind() const;

  const std::shared_ptr<const Driver>& driver() const { return driver_; }
  CUstream stream() const { return stream_; }

  /// Bytes that are free on the card now; other programs come and go.
  Result<std::uint64_t> free_memory() const;

  /// Waits until all work is done, and says what failed in it.
  Status synchronise() const;

 private:
  Context(std::shared_ptr<const Driver> driver, CUdevice device) : driver_(std::move(driver)), device_(device) {}
  Status start();

  std::shared_ptr<const Driver> driver_;
  CUdevice device_;
  CUcontext context_ = nullptr;
  CUstream stream_ = nullptr;
};

/// A point in the stream: what lies before it is done once it is reached. Its context must outlive it and be current.
class Event {
 public:
  static Result<std::unique_ptr<Event>> make(const Context& context);
  ~Event();
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  /// Puts it behind everything that `stream` was given so far; an earlier point is forgotten.
  Status record(CUstream stream);
  /// The host sleeps until the point is reached, and hears what failed before it.
  Status wait() const;

 private:
  explicit Event(std::shared_ptr<const Driver> driver) : driver_(std::move(driver)) {}

  std::shared_ptr<const Driver> driver_;
  CUevent event_ = nullptr;
};

}  // namespace namesake::cuda
