// bar.sync, bar.arrive and bar.red. PTX ISA, "Parallel Synchronization and Communication Instructions: bar, barrier".
#include <cstdio>

#include "execute/settings.h"
#include "execute/worker.h"

namespace ptxcpu {

void Worker::release(Barrier& barrier) {
  barrier.result = barrier.op == 0 ? barrier.set : barrier.op == 1 ? barrier.all : barrier.any;
  for (u32 k = 0; k < warps_; ++k) {
    set_ready(k, barrier.waiting[k]);
    barrier.waiting[k] = 0;
  }
  barrier.arrived = 0;
  barrier.set = 0;
  barrier.all = 1;
  barrier.any = 0;
  ++epoch_;
}

void Worker::check_arrival(Thread& t, u32 site, u32 id, int count, const Barrier& barrier) {
  if (count >= 0 && (count == 0 || count % 32 || static_cast<u32>(count) > warps_ * 32)) {
    fault(t, site, kLaunchFailed, "bar.sync thread count %d is not a positive multiple of 32 within the block", count);
  }
  if (barrier.arrived && barrier.expected != count) {
    fault(t, site, kLaunchFailed, "threads use barrier %u with different thread counts (%d and %d)", id, barrier.expected, count);
  }
  if (barrier.waiting[t.warp] && barrier.site[t.warp] != site) {
    fault(t, site, kLaunchFailed,
          "divergent bar.sync: lanes of one warp wait for barrier %u at different instructions (PTX lines %u and %u)", id,
          line_of(barrier.site[t.warp]), line_of(site));
  }
  if (barrier.arrived && barrier.last_site != site && settings().strict) {
    fault(t, site, kLaunchFailed, "strict: warps meet at barrier %u from different instructions (PTX lines %u and %u)", id,
          line_of(barrier.last_site), line_of(site));
  }
}

void Worker::arrive(Thread& t, u32 site, u32 id, int count, bool wait) {
  if (id >= kBarriers) fault(t, site, kLaunchFailed, "barrier number above 15");
  Barrier& barrier = barriers_[id];
  check_arrival(t, site, id, count, barrier);
  barrier.expected = count;
  barrier.last_site = site;
  ++barrier.arrived;
  t.site = site;
  const u32 lane = 1u << t.lane;
  if (barrier.arrived == (count < 0 ? threads_alive_ : static_cast<u32>(count))) {
    if (count < 0 && threads_alive_ < block_.threads) {
      char message[96];
      std::snprintf(message, sizeof message, "bar.sync reached after %u of %u threads had exited", block_.threads - threads_alive_,
                    block_.threads);
      warn_once(t, site, message);
    }
    release(barrier);
    // Under a random schedule the last to come is not the first to go on.
    if (!wait || settings().schedule != Schedule::random) return;
    set_ready(t.warp, lane);
  } else {
    if (!wait) return;
    barrier.waiting[t.warp] |= lane;
    barrier.site[t.warp] = site;
  }
  t.state = kAtBarrier;
  block_here(t);
}

u32 Worker::reduce_at_barrier(Thread& t, u32 site, u32 id, int count, u32 op, bool predicate) {
  if (id >= kBarriers) fault(t, site, kLaunchFailed, "barrier number above 15");
  Barrier& barrier = barriers_[id];
  barrier.set += predicate;
  barrier.all &= predicate;
  barrier.any |= predicate;
  barrier.op = op;
  arrive(t, site, id, count, true);
  return barrier.result;
}

}  // namespace ptxcpu
