// Warp collectives: lanes meet by instruction and member mask. Two different instructions never meet, which PTX would allow.
#include <bit>

#include "execute/settings.h"
#include "execute/worker.h"

namespace ptxcpu {

// Runs a collective that all have come to; every lane but `self` becomes ready.
void Worker::complete(u32 warp, int index, u32 self) {
  Rendezvous& done = pending_[warp][index];
  const u32 lanes = done.arrived;
  Thread* threads[32];
  for (u32 l = 0; l < 32; ++l) threads[l] = &threads_[warp * 32 + l];
  ++block_.counts.collectives;
  if ((done.site & kWholeWarp) && lanes != ~0u) {
    fault(*threads[std::countr_zero(lanes)], done.site, kLaunchFailed, "mma or ldmatrix executed by an incomplete warp");
  }
  done.run(done.operands, threads, lanes, &block_);
  ++steps_[warp];
  if (index != --pending_count_[warp]) done = pending_[warp][pending_count_[warp]];
  set_ready(warp, lanes & ~self);
}

void Worker::meet(Thread& t, u32 site, u32 mask, Collective run, u32* operands) {
  const u32 lane = 1u << t.lane;
  if (!(mask & lane)) {
    fault(t, site, kLaunchFailed, "warp collective: the executing lane is not in member mask 0x%x", mask);
  }
  int index = 0;
  const int count = pending_count_[t.warp];
  while (index < count && (pending_[t.warp][index].site != site || pending_[t.warp][index].mask != mask)) ++index;
  Rendezvous& here = pending_[t.warp][index];
  if (index == count) {
    ++pending_count_[t.warp];
    here.mask = mask;
    here.arrived = 0;
    here.site = site;
    here.run = run;
  }
  here.arrived |= lane;
  here.operands[t.lane] = operands;
  t.site = site;
  if (here.arrived == (mask & alive_[t.warp])) {
    // Under a random schedule the last to come is not the first to go on.
    const bool goes_on = settings().schedule != Schedule::random;
    complete(t.warp, index, goes_on ? lane : 0);
    if (goes_on) return;
  }
  t.state = kAtCollective;
  block_here(t);
}

}  // namespace ptxcpu
