// Kernel texts: the PTX of ptx/sm_*, built into the engine (native/cmake/embed_ptx.cmake).
#pragma once

#include <optional>
#include <string>

namespace namesake::cuda {

/// What the sources in kernels/ are compiled for: cards of compute capability 7.5, and all from 8.0 on.
enum class KernelFamily { sm_75 = 75, sm_80 = 80 };

/// One file, in pieces that every compiler takes as a literal.
struct KernelText {
  const char* module;  ///< the file's name without .ptx; nullptr ends the list
  KernelFamily family;
  const char* const* pieces;  ///< nullptr ends them
};

/// All files, in the generated source.
extern const KernelText kKernelTexts[];

/// The PTX of a module; empty where the family has none of this name.
std::optional<std::string> kernel_text(const std::string& module, KernelFamily family);

}  // namespace namesake::cuda
