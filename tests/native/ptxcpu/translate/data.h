// A module's variables as tables. PTX ISA, "Initializers" and "State Spaces".
#pragma once
#include <string>

#include "ptx/module.h"

namespace ptxcpu {

/// `static u64 g_NAME;` for every global and constant variable: its address once the module is loaded.
std::string address_slots(const Module& module);
/// `static const VariableInfo variables[]` with their first bytes, and `static const RelocationInfo relocations[]`.
std::string variable_tables(const Module& module);
/// How many entries `relocations` has.
std::size_t relocation_count(const Module& module);

}  // namespace ptxcpu
