// Kernel library: the kernels of a card, each module compiled when one of its kernels is first needed.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <unordered_map>

#include "backend/cuda/context.h"
#include "backend/cuda/kernel_texts.h"
#include "backend/cuda/launch.h"
#include "backend/cuda/module.h"

namespace namesake::cuda {

/// Its context must outlive it and be current.
class KernelLibrary {
 public:
  /// `capability` is the card's compute capability times ten.
  KernelLibrary(const Context& context, int capability)
      : context_(context), family_(capability >= 80 ? KernelFamily::sm_80 : KernelFamily::sm_75) {}

  KernelFamily family() const { return family_; }

  /// The function of a kernel. The codes of Module::load, `internal` where the engine was built without this kernel.
  Result<CUfunction> function(const KernelName& kernel);

  /// Compiles the PTX of a module under a name that no other has. The codes of Module::load.
  Status add(const std::string& module, const std::string& ptx);

 private:
  Result<CUfunction> load(const KernelName& kernel);

  const Context& context_;
  KernelFamily family_;
  std::map<std::string, std::unique_ptr<Module>> modules_;
  std::unordered_map<std::string, CUfunction> kernels_;
};

}  // namespace namesake::cuda
