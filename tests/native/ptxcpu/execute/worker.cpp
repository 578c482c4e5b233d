#include "execute/worker.h"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "execute/device_memory.h"
#include "execute/loaded_module.h"
#include "execute/report.h"
#include "execute/settings.h"
#include "ptx/text.h"

namespace ptxcpu {
namespace {

constexpr std::size_t kSharedBuffer = 256 << 10;
/// No address is in this range, so that the first access of a site looks up.
constexpr Site kNowhere = {0x8000000000000001ull, 0};

}  // namespace

Worker::Worker() : main_stack_(thread_stack()) { block_.shared = static_cast<u8*>(std::aligned_alloc(4096, kSharedBuffer)); }

Worker::~Worker() { std::free(block_.shared); }

void Worker::reset_result() {
  error_ = kSuccess;
  blocks_ = 0;
  block_.counts = {};
}

void Worker::prepare(const Launch& launch, std::uint64_t launch_number) {
  launch_ = &launch;
  main_stack_ = thread_stack();
  Block& b = block_;
  const KernelInfo& kernel = *launch.kernel;
  b.worker = this;
  b.dynamic_offset = (kernel.shared_bytes + 15) & ~15u;
  b.dynamic_size = launch.dynamic_shared;
  b.shared_size = launch.dynamic_shared ? b.dynamic_offset + launch.dynamic_shared : kernel.shared_bytes;
  b.params = launch.params.data();
  b.threads = launch.block[0] * launch.block[1] * launch.block[2];
  b.watch_races = settings().watch_races;
  std::memcpy(b.ntid, launch.block, sizeof b.ntid);
  std::memcpy(b.nctaid, launch.grid, sizeof b.nctaid);
  warps_ = (b.threads + 31) / 32;
  for (u32 i = 0; i < warps_ * 32; ++i) {
    Thread& t = threads_[i];
    t.block = &b;
    t.flat = i;
    t.lane = i % 32;
    t.warp = i / 32;
    t.tid[0] = i % launch.block[0];
    t.tid[1] = i / launch.block[0] % launch.block[1];
    t.tid[2] = i / launch.block[0] / launch.block[1];
    t.copies = &copies_[i];
  }
  free_stacks_.clear();
  for (int i = kMaxThreads - 1; i >= 0; --i) free_stacks_.push_back(i);
  warned_.clear();
  auto& [generation, sites] = sites_[launch.module->id()];
  if (generation != memory_generation()) {
    generation = memory_generation();
    sites.assign(launch.module->info().site_count + 1, kNowhere);
  }
  b.sites = sites.data();
  for (Barrier& barrier : barriers_) barrier = Barrier();
  for (CopyQueue& queue : copies_) queue = CopyQueue();
  if (b.watch_races && shadow_.size() < b.shared_size) shadow_.resize(b.shared_size);
  random_state_ = settings().seed * 0x9E3779B97F4A7C15ull + 1 + launch_number * 77;
}

bool Worker::run_block(std::uint64_t index) {
  const Launch& launch = *launch_;
  Block& b = block_;
  b.ctaid[0] = static_cast<u32>(index % launch.grid[0]);
  b.ctaid[1] = static_cast<u32>(index / launch.grid[0] % launch.grid[1]);
  b.ctaid[2] = static_cast<u32>(index / launch.grid[0] / launch.grid[1]);
  if (settings().poison && b.shared_size) std::memset(b.shared, 0xff, b.shared_size);
  threads_alive_ = b.threads;
  current_warp_ = settings().schedule == Schedule::reverse ? warps_ - 1 : 0;
  ++epoch_;
  for (u32 k = 0; k < warps_; ++k) {
    const u32 lanes = b.threads - k * 32;
    alive_[k] = ready_[k] = lanes >= 32 ? ~0u : (1u << lanes) - 1;
    pending_count_[k] = 0;
  }
  for (Barrier& barrier : barriers_) {
    if (barrier.arrived) barrier = Barrier();
  }
  for (u32 i = 0; i < b.threads; ++i) {
    threads_[i].state = kNew;
    threads_[i].spins = 0;
    if (copies_[i].group || !copies_[i].copies.empty()) copies_[i] = CopyQueue();
  }
  Thread& first = *pick(-1);
  switch_context(&main_context_, context_of(first), stack_of(first));
  ++blocks_;
  return error_ == kSuccess;
}

u32 Worker::line_of(u32 site) const {
  const ModuleInfo& info = launch_->module->info();
  site &= ~kWholeWarp;
  return site < info.site_count ? info.site_lines[site] : 0;
}

std::string Worker::place(const Thread& t, u32 site) const {
  const Block& b = block_;
  return text("kernel $, PTX line $, block ($,$,$), thread ($,$,$)", launch_->kernel->name, line_of(site), b.ctaid[0], b.ctaid[1],
              b.ctaid[2], t.tid[0], t.tid[1], t.tid[2]);
}

void Worker::fault(const Thread& thread, u32 site, int code, const char* format, ...) {
  {
    char message[1024];
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    error_ = code;
    report(text("$: $", message, place(thread, site)));
  }
  leave();
}

// Everything on the threads' stacks is given up.
void Worker::leave() { leave_to(main_context_, main_stack_); }

void Worker::warn_once(const Thread& thread, u32 site, const char* message) {
  if (settings().strict) fault(thread, site, kLaunchFailed, "%s", message);
  if (warned_.insert(site).second) warn(text("$: $", message, place(thread, site)));
}

}  // namespace ptxcpu
