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

Result<KernelLibrary::Entry> KernelLibrary::load(const KernelName& kernel) {
  if (modules_.count(kernel.module) == 0) {
    const std::optional<std::string> text = kernel_text(kernel.module, family_);
    if (!text) return Status::error(Code::internal, std::string("the engine was built without the kernels of ") + kernel.module);
    NAMESAKE_TRY(add(kernel.module, *text));
  }
  const auto function = modules_[kernel.module]->function(kernel.name);
  if (!function.ok()) return function.status();
  return Entry{function.value()};
}

Result<CUfunction> KernelLibrary::function(const KernelName& kernel, std::size_t shared_bytes) {
  auto found = kernels_.find(kernel.name);
  if (found == kernels_.end()) {
    const auto loaded = load(kernel);
    if (!loaded.ok()) return loaded.status();
    found = kernels_.emplace(kernel.name, loaded.value()).first;
  }
  Entry& entry = found->second;
  if (shared_bytes > entry.shared_bytes) {
    const Driver& driver = *context_.driver();
    NAMESAKE_TRY(driver.status(driver.api().cuFuncSetAttribute(entry.function, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
                                                               static_cast<int>(shared_bytes)),
                               std::string("shared memory for ") + kernel.name));
    entry.shared_bytes = shared_bytes;
  }
  return entry.function;
}

}  // namespace namesake::cuda
