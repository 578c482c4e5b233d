// PTX to C++. Each PTX function becomes a C++ function: registers are local variables, labels are labels.
#pragma once
#include <string>
#include <string_view>

namespace ptxcpu {

/// C++ that includes runtime/module.h and defines `extern "C" const ModuleInfo ptxcpu_module`. Throws PtxError for text that does not
/// parse, and std::runtime_error for instructions that the table does not know, with the line and opcode of every one.
///
/// Passes: parse (ptx/) → per function: fusion of matrix instructions into shared rendezvous (fusion.h), instructions one by one
/// (instruction_table.h), counts per basic block → the module's tables (data.h).
std::string translate(std::string_view ptx);

}  // namespace ptxcpu
