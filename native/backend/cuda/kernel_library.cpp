#include "backend/cuda/kernel_library.h"

namespace namesake::cuda {

std::optional<std::string> kernel_text(const std::string& module, KernelFamily family) {
  for (const KernelText* text = kKernelTexts; text->module != nullptr; ++text) {
    if (text->family != family || module != text->module) continue;
    std::string whole;
    for (const char* const* piece = text->pieces; *piece != nullptr; ++piece) whole += *piece;
    return whole;
  }
  return {};
}

Status KernelLibrary::add(const std::string& module, const std::string& ptx) {
  auto loaded = Module::load(context_, module, ptx);
  if (!loaded.ok()) return loaded.status();
  modules_[module] = loaded.take();
  return {};
}

Result<CUfunction> KernelLibrary::load(const KernelName& kernel) {
  if (modules_.count(kernel.module) == 0) {
    const std::optional<std::string> text = kernel_text(kernel.module, family_);
    if (!text) return Status::error(Code::internal, std::string("the engine was built without the kernels of ") + kernel.module);
    NAMESAKE_TRY(add(kernel.module, *text));
  }
  return modules_[kernel.module]->function(kernel.name);
}

Result<CUfunction> KernelLibrary::function(const KernelName& kernel) {
  if (const auto found = kernels_.find(kernel.name); found != kernels_.end()) return found->second;
  const auto loaded = load(kernel);
  if (loaded.ok()) kernels_[kernel.name] = loaded.value();
  return loaded;
}

}  // namespace namesake::cuda
