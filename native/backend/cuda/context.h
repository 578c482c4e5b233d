// Context: this program's place on a card, with the two streams that its work goes through, and events between them.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "backend/cuda/driver.h"

namespace namesake::cuda {

/// A card's primary context (the one that every part of a process shares), held as long as this object lives. Work goes
/// through two streams: what computes, and copies beside it; neither waits for the other unless an Event says so. One
/// thread at a time.
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
  CUstream compute() const { return compute_; }
  CUstream copy() const { return copy_; }

  /// Bytes that are free on the card now; other programs come and go.
  Result<std::uint64_t> free_memory() const;

  /// Waits until all work of both streams is done, and says what failed in it.
  Status synchronise() const;

 private:
  Context(std::shared_ptr<const Driver> driver, CUdevice device) : driver_(std::move(driver)), device_(device) {}
  Status start();

  std::shared_ptr<const Driver> driver_;
  CUdevice device_;
  CUcontext context_ = nullptr;
  CUstream compute_ = nullptr, copy_ = nullptr;
};

/// A point in a stream: what lies before it is done once it is reached. Its context must outlive it and be current.
class Event {
 public:
  /// `timed`: whether milliseconds_since() may be asked of it, which costs a little.
  static Result<std::unique_ptr<Event>> make(const Context& context, bool timed = false);
  ~Event();
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  /// Puts it behind everything that `stream` was given so far; an earlier point is forgotten.
  Status record(CUstream stream);
  /// What `stream` is given from now on starts after this point. The host goes on.
  Status hold_up(CUstream stream) const;
  /// The host sleeps until the point is reached, and hears what failed before it.
  Status wait() const;
  /// Whether the point is reached.
  Result<bool> reached() const;
  /// Between two timed events that are reached.
  Result<float> milliseconds_since(const Event& earlier) const;

 private:
  explicit Event(std::shared_ptr<const Driver> driver) : driver_(std::move(driver)) {}

  std::shared_ptr<const Driver> driver_;
  CUevent event_ = nullptr;
};

}  // namespace namesake::cuda
