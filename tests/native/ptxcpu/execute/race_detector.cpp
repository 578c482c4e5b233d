// Races in shared memory: each byte remembers its last writer and reader. Two threads clash where one of them writes, no barrier was
// released in between, and, within a warp, no collective either. See README.md for what this misses.
#include <cstdio>

#include "execute/worker.h"

namespace ptxcpu {
namespace {

/// Stands for several readers of different warps.
constexpr std::uint16_t kSeveral = 0xffff;

struct Visit {
  std::uint32_t epoch;
  std::uint16_t thread, step;
  bool atomic;
};

bool same_warp(std::uint16_t a, std::uint16_t b) { return a != kSeveral && b != kSeveral && a / 32 == b / 32; }

/// Is nothing between an earlier visit and this one?
bool clash(const Visit& before, const Visit& now) {
  if (before.epoch != now.epoch || before.thread == now.thread || (before.atomic && now.atomic)) return false;
  return !(same_warp(before.thread, now.thread) && before.step != now.step);
}

}  // namespace

void Worker::shadow(Thread& t, u32 site, u64 offset, u32 bytes, u32 access) {
  const bool writes = access & ACCESS_STORE;
  const Visit now = {epoch_, static_cast<u16>(t.flat), static_cast<u16>(steps_[t.warp]), (access & ACCESS_ATOMIC) != 0};
  for (u32 i = 0; i < bytes; ++i) {
    ShadowByte& byte = shadow_[offset + i];
    const auto at = static_cast<unsigned long long>(offset + i);
    if (clash({byte.write_epoch, byte.writer, byte.write_step, byte.atomic_write}, now)) {
      fault(t, site, kLaunchFailed,
            "shared memory race at offset %llu: %s by thread %u and write by thread %u (PTX line %u) without a barrier between", at,
            writes ? "write" : "read", t.flat, byte.writer, line_of(byte.write_site));
    }
    if (writes) {
      if (clash({byte.read_epoch, byte.reader, byte.read_step, byte.atomic_read}, now)) {
        char reader[32] = "several threads";
        if (byte.reader != kSeveral) std::snprintf(reader, sizeof reader, "thread %u", byte.reader);
        fault(t, site, kLaunchFailed,
              "shared memory race at offset %llu: write by thread %u and read by %s (PTX line %u) without a barrier between", at, t.flat,
              reader, line_of(byte.read_site));
      }
      byte.write_epoch = now.epoch;
      byte.writer = now.thread;
      byte.write_step = now.step;
      byte.write_site = site;
      byte.atomic_write = now.atomic;
      continue;
    }
    const bool fresh =
        byte.read_epoch != now.epoch || byte.reader == now.thread || (same_warp(byte.reader, now.thread) && byte.read_step != now.step);
    byte.reader = fresh || same_warp(byte.reader, now.thread) ? now.thread : kSeveral;
    byte.read_epoch = now.epoch;
    byte.read_step = now.step;
    byte.read_site = site;
    byte.atomic_read = now.atomic;
  }
}

}  // namespace ptxcpu
