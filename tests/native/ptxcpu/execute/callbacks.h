#pragma once
#include "runtime/abi.h"

namespace ptxcpu {

/// What translated code calls; each goes to the worker that runs the thread.
const Callbacks& callbacks();

}  // namespace ptxcpu
