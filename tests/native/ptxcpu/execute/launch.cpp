// Blocks over workers.
#include "execute/launch.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <numeric>
#include <thread>

#include "execute/device_memory.h"
#include "execute/report.h"
#include "execute/settings.h"
#include "execute/worker.h"
#include "ptx/text.h"

namespace ptxcpu {
namespace {

using Clock = std::chrono::steady_clock;

void add(Counts& sum, const Counts& more) {
  // All its fields are u64.
  auto* to = reinterpret_cast<u64*>(&sum);
  const auto* from = reinterpret_cast<const u64*>(&more);
  for (std::size_t i = 0; i < sizeof(Counts) / sizeof(u64); ++i) to[i] += from[i];
}

/// In which order the blocks of a grid are taken: i · stride + offset, modulo their number.
struct BlockOrder {
  u64 total = 1, stride = 1, offset = 0;

  BlockOrder(u64 blocks, u64 launch_number) : total(blocks) {
    if (settings().schedule == Schedule::reverse) {
      stride = blocks - 1 ? blocks - 1 : 1;
      offset = blocks - 1;
    }
    if (settings().schedule != Schedule::random || blocks <= 2) return;
    const u64 bits = settings().seed * 6364136223846793005ull + launch_number * 1442695040888963407ull;
    stride = (bits >> 33) % blocks | 1;
    while (std::gcd(stride, blocks) != 1) stride += 2;
    offset = (bits >> 20) % blocks;
  }
  u64 at(u64 i) const { return (i * stride + offset) % total; }
};

/// Ends the process when a launch takes longer than PTXCPU_TIMEOUT: a grid that waits for itself never comes back.
class Watchdog {
 public:
  void start(const char* kernel) {
    if (settings().timeout_s <= 0) return;
    std::call_once(once_, [this] { std::thread([this] { watch(); }).detach(); });
    kernel_ = kernel;
    since_ = Clock::now().time_since_epoch().count();
  }
  void stop() { since_ = 0; }

 private:
  [[noreturn]] void watch() {
    for (;;) {
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
      const Clock::rep since = since_;
      if (since == 0) continue;
      const std::chrono::duration<double> ran = Clock::now().time_since_epoch() - Clock::duration(since);
      if (ran.count() < settings().timeout_s) continue;
      std::fprintf(stderr, "[ptxcpu] kernel %s ran longer than PTXCPU_TIMEOUT=%g s\n", kernel_.load(), settings().timeout_s);
      std::abort();
    }
  }
  std::once_flag once_;
  std::atomic<Clock::rep> since_{0};
  std::atomic<const char*> kernel_{nullptr};
};

class Pool {
 public:
  int run(const Launch& launch, u64 number) {
    const std::lock_guard serial(launch_mutex_);
    grow(settings().threads);
    const u64 blocks = u64{launch.grid[0]} * launch.grid[1] * launch.grid[2];
    const BlockOrder order(blocks, number);
    launch_ = &launch;
    order_ = &order;
    number_ = number;
    next_ = 0;
    failed_ = false;
    for (auto& worker : workers_) worker->reset_result();
    const int used = static_cast<int>(std::min<u64>(blocks, static_cast<u64>(settings().threads)));
    {
      const std::lock_guard lock(mutex_);
      wanted_ = used;
      active_ = used - 1;
      ++generation_;
    }
    wake_.notify_all();
    work(*workers_[0]);
    std::unique_lock lock(mutex_);
    idle_.wait(lock, [this] { return active_ == 0; });
    for (auto& worker : workers_) {
      if (worker->error()) return worker->error();
    }
    return kSuccess;
  }

  Counts counts() const {
    Counts sum{};
    for (const auto& worker : workers_) add(sum, worker->counts());
    return sum;
  }

  u64 blocks(int worker) const {
    return worker < static_cast<int>(workers_.size()) ? workers_[static_cast<std::size_t>(worker)]->blocks() : 0;
  }

 private:
  /// Worker 0 is the caller's thread.
  void grow(int count) {
    while (static_cast<int>(workers_.size()) < count) {
      const int id = static_cast<int>(workers_.size());
      workers_.push_back(std::make_unique<Worker>());
      if (id > 0) std::thread([this, id, seen = generation_] { loop(id, seen); }).detach();
    }
  }

  void loop(int id, u64 seen) {
    for (;;) {
      Worker* worker = nullptr;
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [&] { return generation_ != seen && id < wanted_; });
        seen = generation_;
        worker = workers_[static_cast<std::size_t>(id)].get();
      }
      work(*worker);
      const std::lock_guard lock(mutex_);
      if (--active_ == 0) idle_.notify_all();
    }
  }

  void work(Worker& worker) {
    worker.prepare(*launch_, number_);
    while (!failed_) {
      const u64 i = next_++;
      if (i >= order_->total) return;
      if (!worker.run_block(order_->at(i))) failed_ = true;
    }
  }

  std::mutex mutex_, launch_mutex_;
  std::condition_variable wake_, idle_;
  std::vector<std::unique_ptr<Worker>> workers_;
  u64 generation_ = 0, number_ = 0;
  int active_ = 0, wanted_ = 0;
  const Launch* launch_ = nullptr;
  const BlockOrder* order_ = nullptr;
  std::atomic<u64> next_{0};
  std::atomic<bool> failed_{false};
};

// Never destroyed: its threads may outlive every static object.
Pool& pool() {
  static Pool& made = *new Pool;
  return made;
}

Watchdog& watchdog() {
  static Watchdog& made = *new Watchdog;
  return made;
}

struct History {
  std::mutex mutex;
  u64 launches = 0;
  std::vector<LaunchRecord> records;
};
History& history() {
  static History& made = *new History;
  return made;
}

}  // namespace

int run_launch(const Launch& launch) {
  History& past = history();
  u64 number = 0;
  {
    const std::lock_guard lock(past.mutex);
    number = ++past.launches;
  }
  if (number == settings().fail_launch) {
    report(text("launch $ ($) fails as PTXCPU_FAIL_LAUNCH asks", number, launch.kernel->name));
    return settings().fail_launch_code;
  }
  const auto start = Clock::now();
  watchdog().start(launch.kernel->name);
  int error = kSuccess;
  {
    const DeviceAccess access;
    error = pool().run(launch, number);
  }
  watchdog().stop();
  const std::chrono::duration<double, std::milli> took = Clock::now() - start;
  tell(text("$ grid ($,$,$) block ($,$,$) $ ms -> $", launch.kernel->name, launch.grid[0], launch.grid[1], launch.grid[2], launch.block[0],
            launch.block[1], launch.block[2], took.count(), error));
  if (error == kSuccess) {
    const std::lock_guard lock(past.mutex);
    past.records.push_back({launch.kernel->name, pool().counts()});
  }
  return error;
}

std::vector<LaunchRecord> launch_records() {
  const std::lock_guard lock(history().mutex);
  return history().records;
}

void restart_launch_count() {
  const std::lock_guard lock(history().mutex);
  history().launches = 0;
  history().records.clear();
}

u64 blocks_of_worker(int worker) { return pool().blocks(worker); }

}  // namespace ptxcpu
