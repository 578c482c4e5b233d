#include "backend/cpu/thread_pool.h"

#include <system_error>

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#elif defined(_M_ARM64) && !defined(__aarch64__)
#include <intrin.h>
#endif

namespace namesake::cpu {
namespace {

// Long enough to bridge the gap between two ops of a training step, short enough not to heat an idle machine.
constexpr int kSpinsBeforePark = 4000;
// A caller that waits this long has lost a core to another process: give up its own, so that the worker can finish.
constexpr int kSpinsBeforeYield = 4000;

inline void pause_cpu() {
#if defined(__x86_64__) || defined(_M_X64)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#elif defined(_M_ARM64)
  __yield();
#endif
}

}  // namespace

ThreadPool::ThreadPool(int threads, void (*leave)()) : leave_(leave) {
  try {
    for (int i = 1; i < threads; ++i) workers_.emplace_back([this, i] { work(i); });
  } catch (const std::system_error&) {
    // Fewer threads change the time, never the result.
  }
}

ThreadPool::~ThreadPool() {
  stop_.store(true);
  {
    std::lock_guard<std::mutex> lock(mutex_);
    wake_.notify_all();
  }
  for (std::thread& worker : workers_) worker.join();
}

bool ThreadPool::run(std::int64_t count, const std::atomic<bool>* cancel, Call call, const void* body) {
  job_ = Job{call, body, count, cancel};
  next_.store(0, std::memory_order_relaxed);
  cancelled_.store(false, std::memory_order_relaxed);
  if (workers_.empty() || count <= 1) {
    drain(0);
    return !cancelled_.load(std::memory_order_relaxed);
  }
  const std::uint64_t number = (state_.load(std::memory_order_relaxed) >> 32) + 1;
  state_.store(number << 32 | kOpen);  // seq_cst, with parked_: a worker about to park sees the job or is seen here
  if (parked_.load() > 0) {
    std::lock_guard<std::mutex> lock(mutex_);
    wake_.notify_all();
  }
  drain(0);
  state_.fetch_and(~kOpen, std::memory_order_acq_rel);
  for (int spins = 0; state_.load(std::memory_order_acquire) & kInside; ++spins) {
    if (spins < kSpinsBeforeYield) {
      pause_cpu();
    } else {
      std::this_thread::yield();
    }
  }
  return !cancelled_.load(std::memory_order_relaxed);
}

void ThreadPool::drain(int thread) {
  for (;;) {
    const std::int64_t task = next_.fetch_add(1, std::memory_order_relaxed);
    if (task >= job_.count) break;
    if (job_.cancel && job_.cancel->load(std::memory_order_relaxed)) {
      cancelled_.store(true, std::memory_order_relaxed);
      break;
    }
    job_.call(job_.body, task, thread);
  }
  if (leave_) leave_();
}

bool ThreadPool::join(std::uint64_t& seen) {
  std::uint64_t state = state_.load(std::memory_order_acquire);
  while ((state & kOpen) && state >> 32 != seen) {
    if (state_.compare_exchange_weak(state, state + 1, std::memory_order_acq_rel, std::memory_order_acquire)) {
      seen = state >> 32;
      return true;
    }
  }
  return false;
}

void ThreadPool::park(std::uint64_t seen) {
  std::unique_lock<std::mutex> lock(mutex_);
  parked_.fetch_add(1);
  wake_.wait(lock, [&] {
    const std::uint64_t state = state_.load();
    return stop_.load() || ((state & kOpen) && state >> 32 != seen);
  });
  parked_.fetch_sub(1);
}

void ThreadPool::work(int thread) {
  std::uint64_t seen = 0;
  int spins = 0;
  while (!stop_.load(std::memory_order_relaxed)) {
    if (join(seen)) {
      drain(thread);
      state_.fetch_sub(1, std::memory_order_acq_rel);
      spins = 0;
    } else if (++spins < kSpinsBeforePark) {
      pause_cpu();
    } else {
      park(seen);
      spins = 0;
    }
  }
}

}  // namespace namesake::cpu
