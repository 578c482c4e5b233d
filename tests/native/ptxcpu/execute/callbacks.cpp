#include "execute/callbacks.h"

#include <cstdio>

#include "execute/device_print.h"
#include "execute/worker.h"

namespace ptxcpu {
namespace {

Worker& worker(Thread* t) { return *static_cast<Worker*>(t->block->worker); }

u32 print(Thread*, const char* format, const u8* arguments) {
  std::fputs(device_print(format, arguments).c_str(), stdout);
  return 0;
}

}  // namespace

const Callbacks& callbacks() {
  static const Callbacks table = {
      .global_miss = [](Thread* t, u32 site, u64 address, u32 n, u32 access) { worker(t).look_up(*t, site, address, n, access); },
      .shared_fault = [](Thread* t, u32 site, u64 offset, u32 n, u32 access) { worker(t).shared_fault(*t, site, offset, n, access); },
      .shared_access = [](Thread* t, u32 site, u64 offset, u32 n, u32 access) { worker(t).shadow(*t, site, offset, n, access); },
      .barrier = [](Thread* t, u32 site, u32 id, i32 count, u32 arrive) { worker(t).arrive(*t, site, id, count, !arrive); },
      .barrier_reduce = [](Thread* t, u32 site, u32 id, i32 count, u32 op,
                           u32 predicate) { return worker(t).reduce_at_barrier(*t, site, id, count, op, predicate != 0); },
      .collective = [](Thread* t, u32 site, u32 mask, Collective run, u32* operands) { worker(t).meet(*t, site, mask, run, operands); },
      .yield = [](Thread* t) { worker(t).yield(*t); },
      .trap = [](Thread* t, u32 site, const char* what) { worker(t).fault(*t, site, kLaunchFailed, "%s", what); },
      .assert_failed = [](Thread* t, u32 site, const char* what) { worker(t).fault(*t, site, kAssert, "assertion failed: %s", what); },
      .warn = [](Thread* t, u32 site, const char* what) { worker(t).warn_once(*t, site, what); },
      .exit_thread = [](Thread* t) { worker(t).finish(*t); },
      .async_copy = [](Thread* t, u32 site, u64 to, u64 from, u32 n, u32 read) { worker(t).copy_async(*t, site, to, from, n, read); },
      .async_commit = [](Thread* t) { ++static_cast<CopyQueue*>(t->copies)->group; },
      .async_wait = [](Thread* t, u32 left) { worker(t).wait_for_copies(*t, left); },
      .print = print,
  };
  return table;
}

}  // namespace ptxcpu
