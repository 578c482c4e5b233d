// What this CPU can run: the choice of a KernelTable.
#pragma once

#include <string>

#include "backend/cpu/isa/kernels.h"
#include "namesake/status.h"

namespace namesake::cpu {

/// The table of "scalar", "avx2", "avx512", "avx512bf16", "amxbf16" or "neon", or the fastest one for "auto". isa.unsupported says which
/// instructions are missing (in the CPU, or switched off by the operating system), or that the name is unknown.
Result<KernelTable> find_kernels(const std::string& isa);

}  // namespace namesake::cpu
