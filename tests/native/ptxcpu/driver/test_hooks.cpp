#include "driver/test_hooks.h"

#include "driver/state.h"
#include "execute/device_memory.h"
#include "execute/launch.h"
#include "execute/report.h"
#include "execute/settings.h"

using namespace ptxcpu;

#define HOOK extern "C" __attribute__((visibility("default")))

HOOK void ptxcpuReset() {
  const std::lock_guard lock(driver().mutex);
  driver().queues.drain_all();
  driver().queues.clear_error();
  clear_message();
  load_settings();
  restart_allocation_count();
  restart_launch_count();
}

HOOK const char* ptxcpuLastMessage() {
  static std::string message;
  message = last_message();
  return message.c_str();
}

HOOK unsigned long long ptxcpuWarnings() { return warning_count(); }

HOOK unsigned long long ptxcpuLaunches() { return launch_records().size(); }

HOOK int ptxcpuLaunchCounts(unsigned long long index, const char** kernel, Counts* counts) {
  static std::string name;
  const std::vector<LaunchRecord> records = launch_records();
  if (index >= records.size()) return 0;
  name = records[index].kernel;
  *kernel = name.c_str();
  *counts = records[index].counts;
  return 1;
}

HOOK unsigned long long ptxcpuWorkerBlocks(int worker) { return blocks_of_worker(worker); }
