// What the driver knows: contexts, streams, events, modules, and the error that sticks. One lock for all of it.
#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "driver/cuda_api.h"
#include "driver/stream_queue.h"
#include "execute/loaded_module.h"
#include "execute/settings.h"

/// A function of the driver's interface.
#define DRIVER_API extern "C" __attribute__((visibility("default"))) CUresult

struct CUctx_st {
  unsigned references = 0;
  int device = 0;
};
struct CUevent_st {
  CUstream stream = nullptr;
  std::uint64_t number = 0;  ///< of the work before it
  bool recorded = false, done = false;
  double seconds = 0;
};
struct CUfunc_st {
  CUmodule module;
  const KernelInfo* kernel;
  int max_dynamic_shared = -1;  ///< -1: the attribute was never set
};
struct CUmod_st {
  std::unique_ptr<ptxcpu::LoadedModule> loaded;
  std::map<std::string, std::unique_ptr<CUfunc_st>> functions;
};

namespace ptxcpu {

struct Driver {
  std::recursive_mutex mutex;
  bool initialised = false;
  CUctx_st primaries[kMostDevices], created;
  std::set<CUstream> streams;
  std::set<CUevent> events;
  std::set<CUmodule> modules;
  StreamQueues queues;
};
Driver& driver();

/// The contexts of the calling thread, the current one last.
std::vector<CUcontext>& context_stack();

/// The device of the current context; 0 without one.
int current_device();
/// Whether a device has this number.
bool is_device(CUdevice device);

/// Reports `message` and returns `code`.
CUresult refuse(const std::string& message, CUresult code = CUDA_ERROR_INVALID_VALUE);
inline CUresult result(int error) { return static_cast<CUresult>(error); }

/// Calls `fn` under the lock, after cuInit alone.
template <class Fn>
CUresult when_initialised(Fn fn) {
  const std::lock_guard lock(driver().mutex);
  if (!driver().initialised) return CUDA_ERROR_NOT_INITIALIZED;
  return fn();
}

/// The same where a context is current and no launch has failed: after one, every call returns its error until the context is reset.
template <class Fn>
CUresult in_context(Fn fn) {
  return when_initialised([&]() -> CUresult {
    if (driver().queues.error()) return result(driver().queues.error());
    if (context_stack().empty() || !context_stack().back()) return CUDA_ERROR_INVALID_CONTEXT;
    return fn();
  });
}

/// nullptr, the legacy stream and the per-thread one are the same here.
bool known_stream(CUstream stream);

}  // namespace ptxcpu
