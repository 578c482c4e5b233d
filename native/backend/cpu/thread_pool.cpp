#include "backend/cpu/thread_pool.h"

#include <algorithm>
#include <cstdio>
#include <set>
#include <string>
#include <system_error>

#if defined(__linux__)
#include <sched.h>
#elif defined(__APPLE__)
#include <sys/sysctl.h>
#endif
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

#if defined(__linux__)
/// First line of a small file, empty if there is none.
std::string first_line(const char* path) {
  std::string line;
  if (std::FILE* file = std::fopen(path, "r")) {
    char text[256];
    if (std::fgets(text, sizeof text, file)) line = text;
    std::fclose(file);
  }
  return line;
}

/// CPUs that the cgroup's quota allows, rounded up; a large number where there is no quota.
int cgroup_quota() {
  long long quota = 0, period = 0;
  const std::string line = first_line("/sys/fs/cgroup/cpu.max");
  if (std::sscanf(line.c_str(), "%lld %lld", &quota, &period) == 2 && quota > 0 && period > 0) {
    return static_cast<int>(std::max<long long>(1, (quota + period - 1) / period));
  }
  return 1 << 20;
}
#endif

}  // namespace

int physical_cores() {
#if defined(__linux__)
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) {
    std::set<std::string> cores;
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (!CPU_ISSET(cpu, &allowed)) continue;
      const std::string path = "/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/thread_siblings_list";
      const std::string siblings = first_line(path.c_str());
      cores.insert(siblings.empty() ? std::to_string(cpu) : siblings);
    }
    if (!cores.empty()) return std::min(static_cast<int>(cores.size()), cgroup_quota());
  }
#elif defined(__APPLE__)
  int cores = 0;
  std::size_t size = sizeof cores;
  if (sysctlbyname("hw.physicalcpu", &cores, &size, nullptr, 0) == 0 && cores > 0) return cores;
#endif
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency() / 2));
}

ThreadPool::ThreadPool(int threads) {
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
    if (task >= job_.count) return;
    if (job_.cancel && job_.cancel->load(std::memory_order_relaxed)) {
      cancelled_.store(true, std::memory_order_relaxed);
      return;
    }
    job_.call(job_.body, task, thread);
  }
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
