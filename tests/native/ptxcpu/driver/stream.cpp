// CUDA Driver API, "Stream Management" and "Event Management".
#include <chrono>

#include "driver/state.h"

using namespace ptxcpu;

namespace {

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

CUresult wait_for(CUstream stream) {
  return in_context([&] { return known_stream(stream) ? driver().queues.drain(stream) : CUDA_ERROR_INVALID_HANDLE; });
}

CUresult wait_for(CUevent event) {
  return in_context([&] {
    if (!driver().events.contains(event)) return CUDA_ERROR_INVALID_HANDLE;
    if (event->recorded && !event->done && event->stream) driver().queues.drain(event->stream, event->number);
    return result(driver().queues.error());
  });
}

}  // namespace

DRIVER_API cuStreamCreate(CUstream* stream, unsigned) {
  return in_context([&] {
    *stream = new CUstream_st{current_device(), {}};
    driver().streams.insert(*stream);
    return CUDA_SUCCESS;
  });
}

DRIVER_API cuStreamCreateWithPriority(CUstream* stream, unsigned flags, int) { return cuStreamCreate(stream, flags); }

DRIVER_API cuStreamDestroy_v2(CUstream stream) {
  return in_context([&] {
    if (!driver().streams.contains(stream)) return CUDA_ERROR_INVALID_HANDLE;
    const CUresult done = driver().queues.drain(stream);
    driver().streams.erase(stream);
    for (CUevent event : driver().events) {
      if (event->stream == stream) event->stream = nullptr;
    }
    delete stream;
    return done;
  });
}

DRIVER_API cuStreamSynchronize(CUstream stream) { return wait_for(stream); }

/// Runs what is queued: work that is asked for is never still running.
DRIVER_API cuStreamQuery(CUstream stream) { return wait_for(stream); }

DRIVER_API cuLaunchHostFunc(CUstream stream, CUhostFn function, void* data) {
  return in_context([&] {
    if (!known_stream(stream)) return CUDA_ERROR_INVALID_HANDLE;
    return driver().queues.submit(stream, [=] {
      function(data);
      return 0;
    });
  });
}

DRIVER_API cuStreamWaitEvent(CUstream stream, CUevent event, unsigned) {
  return in_context([&] {
    if (!driver().events.contains(event) || !known_stream(stream)) return CUDA_ERROR_INVALID_HANDLE;
    if (!event->recorded || event->done || !event->stream) return CUDA_SUCCESS;
    return driver().queues.submit(stream, [other = event->stream, number = event->number] {
      const bool legacy = other == driver().queues.resolve(nullptr);
      if (legacy || driver().streams.contains(other)) driver().queues.drain(other, number);
      return 0;
    });
  });
}

DRIVER_API cuEventCreate(CUevent* event, unsigned) {
  return in_context([&] {
    *event = new CUevent_st;
    driver().events.insert(*event);
    return CUDA_SUCCESS;
  });
}

DRIVER_API cuEventDestroy_v2(CUevent event) {
  return in_context([&] {
    if (!driver().events.contains(event)) return CUDA_ERROR_INVALID_HANDLE;
    if (event->stream && !event->done) driver().queues.drain(event->stream, event->number);
    driver().events.erase(event);
    delete event;
    return CUDA_SUCCESS;
  });
}

DRIVER_API cuEventRecord(CUevent event, CUstream stream) {
  return in_context([&] {
    if (!driver().events.contains(event) || !known_stream(stream)) return CUDA_ERROR_INVALID_HANDLE;
    event->recorded = true;
    event->done = false;
    event->stream = driver().queues.resolve(stream);
    const CUresult done = driver().queues.submit(stream, [event] {
      if (driver().events.contains(event)) {
        event->seconds = now();
        event->done = true;
      }
      return 0;
    });
    event->number = driver().queues.newest();
    return done;
  });
}

DRIVER_API cuEventSynchronize(CUevent event) { return wait_for(event); }

DRIVER_API cuEventQuery(CUevent event) { return wait_for(event); }

DRIVER_API cuEventElapsedTime(float* milliseconds, CUevent start, CUevent end) {
  return in_context([&] {
    for (CUevent event : {start, end}) {
      if (!driver().events.contains(event) || !event->recorded) return CUDA_ERROR_INVALID_HANDLE;
      if (!event->done) return CUDA_ERROR_NOT_READY;
    }
    *milliseconds = static_cast<float>((end->seconds - start->seconds) * 1e3);
    return CUDA_SUCCESS;
  });
}
