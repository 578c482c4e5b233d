// One PTX function as C++.
#pragma once
#include <string>
#include <vector>

#include "translate/emitter.h"

namespace ptxcpu {

/// A function's C++ text, and what the launch needs to know of it.
struct TranslatedFunction {
  std::string cpp;
  std::uint64_t shared_bytes = 0, local_bytes = 0;
};

/// Instructions that the table does not know are added to `unknown` as `line N: opcode`.
TranslatedFunction translate_function(const Module& module, const Function& function, std::vector<int>& sites,
                                      std::vector<std::string>& unknown);

/// `static void f_NAME(Thread* t, u8* ret0, u8* a0)`.
std::string signature_of(const Function& function);

}  // namespace ptxcpu
