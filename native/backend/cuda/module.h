// Module: kernels as PTX text, compiled by the driver for the card.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "backend/cuda/context.h"

namespace namesake::cuda {

/// Kernels on a card, unloaded at the end of its life. Its context must outlive it and be current.
class Module {
 public:
  /// Compiles PTX for the context's card: seconds the first time, then the driver has it in a cache of its own. `name` says which
  /// kernels these are. gpu.driver_too_old where the PTX is newer than the driver, gpu.driver_unusable where it has no
  /// compiler, gpu.memory_insufficient, otherwise gpu.failed; each with what the compiler said was wrong.
  static Result<std::unique_ptr<Module>> load(const Context& context, const std::string& name, const std::string& ptx);
  ~Module();
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  /// A kernel by the name that it has in the PTX. gpu.failed where there is none.
  Result<CUfunction> function(const std::string& kernel) const;

 private:
  Module(std::shared_ptr<const Driver> driver, std::string name) : driver_(std::move(driver)), name_(std::move(name)) {}

  std::shared_ptr<const Driver> driver_;
  std::string name_;
  CUmodule module_ = nullptr;
};

}  // namespace namesake::cuda
