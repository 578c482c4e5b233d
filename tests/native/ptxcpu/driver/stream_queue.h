// Work on streams. With PTXCPU_LAZY it is queued and runs when something waits for it, as late as the API allows; else at once.
// CUDA Driver API, "Stream synchronization behavior".
#pragma once
#include <cstdint>
#include <deque>
#include <functional>
#include <set>

#include "driver/cuda_api.h"

namespace ptxcpu {

/// Work in the order of its submission; returns an Error.
struct Work {
  std::uint64_t number;
  std::function<int()> run;
};

}  // namespace ptxcpu

struct CUstream_st {
  int device = 0;
  std::deque<ptxcpu::Work> queue;
};

namespace ptxcpu {

class StreamQueues {
 public:
  /// Runs `run` now, or queues it on `stream`. The legacy stream is ordered with all others.
  CUresult submit(CUstream stream, std::function<int()> run);
  /// Runs what is queued on `stream` up to the work of number `last`; the error that sticks.
  CUresult drain(CUstream stream, std::uint64_t last = UINT64_MAX);
  CUresult drain_all();
  /// The error that sticks (700 and above), or 0.
  int error() const { return error_; }
  void clear_error() { error_ = 0; }
  /// The number of the newest work.
  std::uint64_t newest() const { return newest_; }
  /// The stream that a handle stands for.
  CUstream resolve(CUstream stream);

 private:
  void run_up_to(CUstream stream, std::uint64_t last);

  CUstream_st legacy_;
  std::uint64_t newest_ = 0;
  int error_ = 0;
};

}  // namespace ptxcpu
