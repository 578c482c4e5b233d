// One OS thread's share of a launch: it runs one block at a time, each of whose threads is a fiber.
#pragma once
#include <map>
#include <set>
#include <string>
#include <vector>

#include "execute/error.h"
#include "execute/fiber.h"
#include "execute/launch.h"
#include "runtime/abi.h"

namespace ptxcpu {

constexpr std::uint32_t kMaxThreads = 1024;
constexpr std::uint32_t kMaxWarps = kMaxThreads / 32;
constexpr std::uint32_t kBarriers = 16;
/// The highest bit of a collective's site: the whole warp has to come.
constexpr std::uint32_t kWholeWarp = 0x80000000u;

/// A thread's state.
enum ThreadState : std::uint32_t { kNew, kReady, kAtBarrier, kAtCollective, kDone };

/// Lanes of a warp that wait for the others of `mask` at one instruction.
struct Rendezvous {
  std::uint32_t mask = 0, arrived = 0, site = 0;
  Collective run = nullptr;
  std::uint32_t* operands[32] = {};
};

/// One of a block's barriers. PTX ISA, "bar, barrier".
struct Barrier {
  std::uint32_t arrived = 0;
  int expected = 0;  ///< a thread count, or -1 for the whole block
  std::uint32_t waiting[kMaxWarps] = {};
  std::uint32_t site[kMaxWarps] = {};
  std::uint32_t last_site = 0;
  std::uint32_t set = 0, all = 1, any = 0;  ///< of bar.red's predicates
  std::uint32_t op = 0, result = 0;
};

/// One cp.async that has not been waited for. Its bytes are read at once and written at the wait.
struct PendingCopy {
  std::uint32_t to, bytes, site, group;
  unsigned char data[16];
};
struct CopyQueue {
  std::vector<PendingCopy> copies;
  std::uint32_t group = 0;
};

/// Who touched a byte of shared memory last, and in which epoch (they are counted by barriers).
struct ShadowByte {
  std::uint32_t write_epoch, read_epoch, write_site, read_site;
  std::uint16_t writer, reader, write_step, read_step;  ///< step: the warp's count of collectives
  bool atomic_write, atomic_read;
};

class Worker {
 public:
  Worker();
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// Sets everything that all blocks of a launch share.
  void prepare(const Launch& launch, std::uint64_t launch_number);
  /// Runs the block of this number; true where it ended without a fault.
  bool run_block(std::uint64_t index);

  int error() const { return error_; }
  const Counts& counts() const { return block_.counts; }
  std::uint64_t blocks() const { return blocks_; }
  void reset_result();

  // What threads call (callbacks.cpp).
  void arrive(Thread& thread, std::uint32_t site, std::uint32_t id, int count, bool wait);
  std::uint32_t reduce_at_barrier(Thread& thread, std::uint32_t site, std::uint32_t id, int count, std::uint32_t op, bool predicate);
  void meet(Thread& thread, std::uint32_t site, std::uint32_t mask, Collective run, std::uint32_t* operands);
  void yield(Thread& thread);
  [[noreturn]] void finish(Thread& thread);
  void look_up(Thread& thread, std::uint32_t site, std::uint64_t address, std::uint32_t bytes, std::uint32_t access);
  [[noreturn]] void shared_fault(Thread& thread, std::uint32_t site, std::uint64_t offset, std::uint32_t bytes, std::uint32_t access);
  void shadow(Thread& thread, std::uint32_t site, std::uint64_t offset, std::uint32_t bytes, std::uint32_t access);
  void copy_async(Thread& thread, std::uint32_t site, std::uint64_t to, std::uint64_t from, std::uint32_t bytes, std::uint32_t read);
  void wait_for_copies(Thread& thread, std::uint32_t left);
  /// Ends the launch with `code` and a report of the message and of where the thread is. The message is a printf format: nothing that
  /// owns memory may be alive in the caller, whose frame is left for good.
  [[noreturn]] void fault(const Thread& thread, std::uint32_t site, int code, const char* format, ...)
      __attribute__((format(printf, 5, 6)));
  /// A warning, once for each place; a fault where PTXCPU_STRICT is set.
  void warn_once(const Thread& thread, std::uint32_t site, const char* message);

 private:
  static void thread_main(void* worker, void* thread);
  void run_threads(Thread* thread);
  Thread* pick(int after);
  Thread* pick_random();
  Thread* pick_behind(int after);
  Thread* next_in_order(const Thread& done);
  void set_ready(std::uint32_t warp, std::uint32_t lanes) { ready_[warp] |= lanes; }
  void* context_of(Thread& thread);
  void block_here(Thread& thread, int after = -1);
  void complete(std::uint32_t warp, int index, std::uint32_t self);
  void release(Barrier& barrier);
  void check_arrival(Thread& thread, std::uint32_t site, std::uint32_t id, int count, const Barrier& barrier);
  [[noreturn]] void deadlock();
  [[noreturn]] void leave();
  std::string place(const Thread& thread, std::uint32_t site) const;
  std::uint32_t line_of(std::uint32_t site) const;
  std::uint32_t random(std::uint32_t below);
  Stack stack_of(const Thread& thread) const { return {thread.stack_low, thread.stack_high}; }

  Block block_{};
  Thread threads_[kMaxThreads]{};
  StackPool stacks_;
  std::vector<int> free_stacks_;
  int stack_number_[kMaxThreads] = {};
  void* main_context_ = nullptr;
  Stack main_stack_;
  const Launch* launch_ = nullptr;

  std::uint32_t ready_[kMaxWarps] = {}, alive_[kMaxWarps] = {};
  std::uint32_t warps_ = 0, threads_alive_ = 0, current_warp_ = 0;
  Rendezvous pending_[kMaxWarps][32];
  int pending_count_[kMaxWarps] = {};
  std::uint32_t steps_[kMaxWarps] = {};
  Barrier barriers_[kBarriers];
  CopyQueue copies_[kMaxThreads];

  std::uint32_t epoch_ = 1;
  std::vector<ShadowByte> shadow_;
  /// The sites of each module, with the memory's generation at which they were right.
  std::map<int, std::pair<std::uint64_t, std::vector<Site>>> sites_;
  std::set<std::uint32_t> warned_;
  int error_ = kSuccess;
  std::uint64_t blocks_ = 0, random_state_ = 1;
};

}  // namespace ptxcpu
