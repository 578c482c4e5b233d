// How the stand-in behaves: read from PTXCPU_… variables by cuInit and by ptxcpuReset. README.md lists them.
#pragma once
#include <cstdint>
#include <string>

#include "execute/profile.h"

namespace ptxcpu {

enum class Schedule { in_order, random, reverse };

/// The most devices that a machine can have here.
constexpr int kMostDevices = 8;

struct Settings {
  Profile profile;
  int devices = 1;  ///< of that profile
  int threads = 1;  ///< workers, each of which runs blocks
  bool watch_races = false;
  bool strict = false;  ///< warnings are errors
  bool lazy = false;    ///< asynchronous work waits until something waits for it
  bool poison = true;   ///< fresh memory is all ones, which is NaN in every floating type
  bool guard = false;   ///< the program itself cannot touch device memory
  bool verbose = false;
  bool quiet = false;  ///< diagnostics are kept, not printed
  Schedule schedule = Schedule::in_order;
  std::uint64_t seed = 1;
  double timeout_s = 0;
  std::uint64_t fail_allocation = 0;  ///< the number, from 1, of the cuMemAlloc that finds no memory; 0 for none
  std::uint64_t fail_launch = 0;      ///< the same of the launch that fails
  int fail_launch_code = 719;
};

/// What a device has for the program, in bytes: of several, all but the last have half of their memory taken by others.
std::uint64_t memory_for_program(int device);

/// The settings in force.
Settings& settings();
/// Reads them from the environment again, and starts the counts of allocations and launches anew.
void load_settings();

}  // namespace ptxcpu
