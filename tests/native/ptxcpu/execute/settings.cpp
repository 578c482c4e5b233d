#include "execute/settings.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "execute/device_memory.h"

namespace ptxcpu {
namespace {

const char* variable(const char* name) {
  const char* value = std::getenv(name);
  return value && *value ? value : nullptr;
}

std::uint64_t number_of(const char* name, std::uint64_t otherwise) {
  const char* value = variable(name);
  return value ? std::strtoull(value, nullptr, 0) : otherwise;
}

bool flag(const char* name, bool otherwise) { return number_of(name, otherwise) != 0; }

void read_schedule(Settings& s) {
  const char* value = variable("PTXCPU_SCHED");
  s.schedule = !value                                  ? Schedule::in_order
               : std::strncmp(value, "random", 6) == 0 ? Schedule::random
               : std::strcmp(value, "reverse") == 0    ? Schedule::reverse
                                                       : Schedule::in_order;
  const char* seed = value ? std::strchr(value, ':') : nullptr;
  s.seed = seed ? std::strtoull(seed + 1, nullptr, 0) : 1;
}

}  // namespace

Settings& settings() {
  static Settings current;
  return current;
}

std::uint64_t memory_for_program(int device) {
  const std::uint64_t memory = settings().profile.memory;
  return device + 1 < settings().devices ? memory / 2 : memory;
}

void load_settings() {
  Settings s;
  const char* profile = variable("PTXCPU_PROFILE");
  if (const Profile* found = profile_named(profile ? profile : "stand-in")) {
    s.profile = *found;
  } else {
    // Going on with another device would test something else than what was asked for.
    std::fprintf(stderr, "[ptxcpu] PTXCPU_PROFILE=%s is not one of: %s\n", profile, profile_names().c_str());
    std::abort();
  }
  s.profile.arch = static_cast<int>(number_of("PTXCPU_ARCH", static_cast<std::uint64_t>(s.profile.arch)));
  s.profile.memory = number_of("PTXCPU_MEM_MB", s.profile.memory >> 20) << 20;
  s.devices = static_cast<int>(std::clamp<std::uint64_t>(number_of("PTXCPU_DEVICES", 1), 1, kMostDevices));
  s.threads = static_cast<int>(std::max<std::uint64_t>(1, number_of("PTXCPU_THREADS", std::thread::hardware_concurrency())));
  s.watch_races = flag("PTXCPU_RACE", false);
  s.strict = flag("PTXCPU_STRICT", false);
  s.lazy = flag("PTXCPU_LAZY", false);
  s.poison = flag("PTXCPU_POISON", true);
  s.guard = flag("PTXCPU_GUARD", false);
  s.verbose = flag("PTXCPU_VERBOSE", false);
  s.quiet = flag("PTXCPU_QUIET", false);
  read_schedule(s);
  if (const char* timeout = variable("PTXCPU_TIMEOUT")) s.timeout_s = std::atof(timeout);
  s.fail_allocation = number_of("PTXCPU_FAIL_ALLOC", 0);
  if (const char* launch = variable("PTXCPU_FAIL_LAUNCH")) {
    s.fail_launch = std::strtoull(launch, nullptr, 0);
    if (const char* code = std::strchr(launch, ':')) s.fail_launch_code = std::atoi(code + 1);
  }
  settings() = s;
  guard_memory();
}

}  // namespace ptxcpu
