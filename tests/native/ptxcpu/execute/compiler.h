// The C++ compiler as the last stage of a load.
#pragma once
#include <string>

namespace ptxcpu {

/// Compiles translated code into a shared library, or takes it from the cache, and opens a copy of its own: each load of a module has
/// its own variables. nullptr and the compiler's words in `log` where that fails.
///
/// The compiler is PTXCPU_CXX or g++, with PTXCPU_OPT or -O2; libraries are kept in PTXCPU_CACHE or a folder of the user's in the
/// temporary one, by a checksum of everything that they are made from.
void* compile_and_open(const std::string& translated, std::string* log);

}  // namespace ptxcpu
