// ThreadPool: a fixed grid of tasks handed out by one counter. The caller works too; workers spin briefly, then park.
//
// What a task computes never depends on which thread runs it, so results are the same for any number of threads.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

namespace namesake::cpu {

class ThreadPool {
 public:
  /// `threads` >= 1 counts the caller. Where the system refuses a thread the pool runs with those it got. Each thread calls `leave`,
  /// if there is one, when it has done its part of a call.
  explicit ThreadPool(int threads, void (*leave)() = nullptr);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  /// Calls body(task, thread) for task 0..count-1 and returns when all are done; thread is 0..threads()-1, 0 the caller.
  /// False if *cancel was true before some task, which then did not run. One call at a time. `body` must not throw.
  template <class Body>
  bool for_each(std::int64_t count, const std::atomic<bool>* cancel, const Body& body) {
    return run(count, cancel, &call<Body>, &body);
  }

 private:
  using Call = void (*)(const void* body, std::int64_t task, int thread);

  struct Job {
    Call call = nullptr;
    const void* body = nullptr;
    std::int64_t count = 0;
    const std::atomic<bool>* cancel = nullptr;
  };

  template <class Body>
  static void call(const void* body, std::int64_t task, int thread) {
    (*static_cast<const Body*>(body))(task, thread);
  }

  bool run(std::int64_t count, const std::atomic<bool>* cancel, Call call, const void* body);
  void work(int thread);
  void drain(int thread);
  bool join(std::uint64_t& seen);
  void park(std::uint64_t seen);

  // state_ = job number << 32 | open << 31 | workers inside. Job fields change only while it is closed and empty, so a worker
  // that wakes late can neither join an old job nor delay the caller.
  static constexpr std::uint64_t kOpen = std::uint64_t{1} << 31;
  static constexpr std::uint64_t kInside = kOpen - 1;

  void (*const leave_)();
  std::vector<std::thread> workers_;
  Job job_;
  alignas(64) std::atomic<std::uint64_t> state_{0};
  alignas(64) std::atomic<std::int64_t> next_{0};
  alignas(64) std::atomic<bool> cancelled_{false};
  std::atomic<int> parked_{0};
  std::atomic<bool> stop_{false};
  std::mutex mutex_;
  std::condition_variable wake_;
};

}  // namespace namesake::cpu
