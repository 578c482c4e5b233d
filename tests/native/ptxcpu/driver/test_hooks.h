// What the stand-in has besides the driver's interface, for tests. Found by dlsym; a real driver has none of it.
#pragma once
#include "runtime/abi.h"

extern "C" {

/// Waits for everything, forgets the error that sticks and the last message, reads the PTXCPU_… variables again, and counts allocations
/// and launches from one on.
void ptxcpuReset();
/// The last diagnostic, until the next call of this function.
const char* ptxcpuLastMessage();
/// Warnings since the start.
unsigned long long ptxcpuWarnings();
/// How many launches ended well since the last reset.
unsigned long long ptxcpuLaunches();
/// What launch `index` (from 0) of those did; 0 where there is none, else 1. `kernel` stays valid until the next call.
int ptxcpuLaunchCounts(unsigned long long index, const char** kernel, Counts* counts);
/// Blocks that a worker ran in the last launch.
unsigned long long ptxcpuWorkerBlocks(int worker);
}
