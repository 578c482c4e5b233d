// Diagnostics: kept for ptxcpuLastMessage, and printed unless PTXCPU_QUIET.
#pragma once
#include <cstdint>
#include <string>

namespace ptxcpu {

/// Sets the last message.
void report(const std::string& message);
std::string last_message();
void clear_message();
/// Prints and counts, but leaves the last message as it is.
void warn(const std::string& message);
std::uint64_t warning_count();
/// A line on standard error where PTXCPU_VERBOSE is set.
void tell(const std::string& message);

}  // namespace ptxcpu
