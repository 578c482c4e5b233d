#include "execute/report.h"

#include <atomic>
#include <cstdio>
#include <mutex>

#include "execute/settings.h"

namespace ptxcpu {
namespace {

std::mutex mutex;
std::string last;
std::atomic<std::uint64_t> warnings{0};

void print(const char* kind, const std::string& message) { std::fprintf(stderr, "[ptxcpu] %s%s\n", kind, message.c_str()); }

}  // namespace

void report(const std::string& message) {
  const std::lock_guard lock(mutex);
  last = message;
  if (!settings().quiet) print("", message);
}

std::string last_message() {
  const std::lock_guard lock(mutex);
  return last;
}

void clear_message() {
  const std::lock_guard lock(mutex);
  last.clear();
}

void warn(const std::string& message) {
  ++warnings;
  if (!settings().quiet) print("warning: ", message);
}

std::uint64_t warning_count() { return warnings; }

void tell(const std::string& message) {
  if (settings().verbose) print("", message);
}

}  // namespace ptxcpu
