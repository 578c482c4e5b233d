// Which thread of a block runs next. Threads give way at barriers, warp collectives and in loops that wait, nowhere else.
#include <sched.h>

#include <bit>

#include "execute/report.h"
#include "execute/settings.h"
#include "execute/worker.h"
#include "ptx/text.h"

namespace ptxcpu {
namespace {

u32 lowest(u32 lanes) { return static_cast<u32>(std::countr_zero(lanes)); }
u32 highest(u32 lanes) { return 31 - static_cast<u32>(std::countl_zero(lanes)); }

}  // namespace

u32 Worker::random(u32 below) {
  random_state_ ^= random_state_ << 13;
  random_state_ ^= random_state_ >> 7;
  random_state_ ^= random_state_ << 17;
  return static_cast<u32>((random_state_ >> 20) % below);
}

Thread* Worker::pick_random() {
  const u32 start = random(warps_);
  for (u32 i = 0; i < warps_; ++i) {
    const u32 warp = (start + i) % warps_;
    u32 lanes = ready_[warp];
    if (!lanes) continue;
    for (u32 skip = random(static_cast<u32>(std::popcount(lanes))); skip > 0; --skip) lanes &= lanes - 1;
    return &threads_[warp * 32 + lowest(lanes)];
  }
  return nullptr;
}

// The next after a thread that gave way, around the block; itself last.
Thread* Worker::pick_behind(int after) {
  const u32 warp = static_cast<u32>(after) / 32, lane = static_cast<u32>(after) % 32;
  const u32 above = lane == 31 ? 0 : ready_[warp] & ~((2u << lane) - 1);
  if (above) return &threads_[warp * 32 + lowest(above)];
  for (u32 i = 1; i <= warps_; ++i) {
    const u32 k = (warp + i) % warps_;
    if (ready_[k]) return &threads_[k * 32 + lowest(ready_[k])];
  }
  return nullptr;
}

// A thread to run, or nullptr where none can. `after` is the number of a thread that gave way, or -1.
Thread* Worker::pick(int after) {
  const Schedule schedule = settings().schedule;
  if (schedule == Schedule::random) return pick_random();
  if (after >= 0) return pick_behind(after);
  const bool reverse = schedule == Schedule::reverse;
  for (u32 i = 0; i < warps_; ++i) {
    const u32 warp = (current_warp_ + (reverse ? warps_ - i : i)) % warps_;
    if (ready_[warp]) return &threads_[warp * 32 + (reverse ? highest(ready_[warp]) : lowest(ready_[warp]))];
  }
  return nullptr;
}

// Takes a thread from the ready ones; one that has not started gets a stack.
void* Worker::context_of(Thread& thread) {
  current_warp_ = thread.warp;
  ready_[thread.warp] &= ~(1u << thread.lane);
  if (thread.state == kNew) {
    const int number = free_stacks_.back();
    free_stacks_.pop_back();
    stack_number_[thread.flat] = number;
    const Stack stack = stacks_.stack(number);
    thread.stack_low = stack.low;
    thread.stack_high = stack.high;
    const std::size_t shift = static_cast<std::size_t>(number) * 1088 % 32768;
    thread.stack_pointer = make_context(stack, shift, &Worker::thread_main, this, &thread);
  }
  thread.state = kReady;
  return thread.stack_pointer;
}

// The running thread stands still until something makes it ready and it is picked.
void Worker::block_here(Thread& thread, int after) {
  Thread* next = pick(after);
  if (!next) deadlock();
  if (next == &thread) {
    ready_[thread.warp] &= ~(1u << thread.lane);
    thread.state = kReady;
    return;
  }
  void* context = context_of(*next);
  switch_context(&thread.stack_pointer, context, stack_of(*next));
}

void Worker::yield(Thread& thread) {
  set_ready(thread.warp, 1u << thread.lane);
  block_here(thread, static_cast<int>(thread.flat));
  // Another worker's block may be what is waited for.
  static thread_local u32 count;
  if (++count % 1024 == 0) sched_yield();
}

void Worker::thread_main(void* worker, void* thread) {
  context_entered();
  static_cast<Worker*>(worker)->run_threads(static_cast<Thread*>(thread));
}

// Where nobody waits for a thread that has ended and the next in order has not started, that one runs on the same stack at once.
Thread* Worker::next_in_order(const Thread& done) {
  if (settings().schedule != Schedule::in_order || threads_alive_ <= 1 || pending_count_[done.warp]) return nullptr;
  for (const Barrier& barrier : barriers_) {
    if (barrier.arrived) return nullptr;
  }
  u32 warp = done.warp;
  if (!ready_[warp] && ++warp == warps_) return nullptr;
  if (!ready_[warp]) return nullptr;
  Thread& next = threads_[warp * 32 + lowest(ready_[warp])];
  return next.state == kNew ? &next : nullptr;
}

void Worker::run_threads(Thread* thread) {
  for (;;) {
    launch_->kernel->run(thread);
    Thread* next = next_in_order(*thread);
    if (!next) finish(*thread);
    thread->state = kDone;
    --threads_alive_;
    alive_[thread->warp] &= ~(1u << thread->lane);
    next->stack_low = thread->stack_low;
    next->stack_high = thread->stack_high;
    stack_number_[next->flat] = stack_number_[thread->flat];
    next->state = kReady;
    ready_[next->warp] &= ~(1u << next->lane);
    current_warp_ = next->warp;
    thread = next;
  }
}

// Runs on the stack of the thread that has ended, which may be given to another one at once.
void Worker::finish(Thread& thread) {
  thread.state = kDone;
  --threads_alive_;
  alive_[thread.warp] &= ~(1u << thread.lane);
  free_stacks_.push_back(stack_number_[thread.flat]);
  for (int i = 0; i < pending_count_[thread.warp]; ++i) {
    const Rendezvous& waiting = pending_[thread.warp][i];
    if (waiting.arrived && waiting.arrived == (waiting.mask & alive_[thread.warp])) complete(thread.warp, i--, 0);
  }
  for (Barrier& barrier : barriers_) {
    if (!barrier.arrived || barrier.expected >= 0 || barrier.arrived != threads_alive_) continue;
    warn_once(thread, barrier.last_site, "bar.sync completes because threads have exited");
    release(barrier);
  }
  if (!threads_alive_) leave();
  Thread* next = pick(-1);
  if (!next) deadlock();
  void* context = context_of(*next);
  leave_to(context, stack_of(*next));
}

void Worker::deadlock() {
  {
    struct Group {
      u32 count = 0;
      std::string examples;
    };
    std::map<std::string, Group> groups;
    for (u32 i = 0; i < block_.threads; ++i) {
      const Thread& t = threads_[i];
      const char* what = t.state == kAtBarrier ? "waiting at bar.sync" : "waiting at a warp-synchronous instruction";
      Group& group = groups[t.state == kDone ? "exited" : text("$ at PTX line $", what, line_of(t.site))];
      if (++group.count <= 3) group.examples += text("$$", group.count > 1 ? ", " : "", i);
    }
    std::string message = text("deadlock (divergent barrier or warp collective) in kernel $, block ($,$,$):", launch_->kernel->name,
                               block_.ctaid[0], block_.ctaid[1], block_.ctaid[2]);
    for (const auto& [state, group] : groups) {
      message += text(" $ threads $ (such as thread $);", group.count, state, group.examples);
    }
    error_ = kLaunchFailed;
    report(message);
  }
  leave();
}

}  // namespace ptxcpu
