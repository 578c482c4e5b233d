#include "backend/cuda/module.h"

#include <algorithm>
#include <array>

namespace namesake::cuda {
namespace {

/// What the compiler may say; it cuts off what is longer.
constexpr std::size_t kLogSize = 8192;
using LogBuffer = std::array<char, kLogSize>;

/// A log as one line: up to its end or its buffer's, whatever the driver says of its length.
std::string one_line(const LogBuffer& log) {
  std::string text(log.begin(), std::find(log.begin(), log.end(), '\0'));
  std::replace(text.begin(), text.end(), '\n', ' ');
  const std::size_t last = text.find_last_not_of(' ');
  return last == std::string::npos ? "" : text.substr(0, last + 1);
}

}  // namespace

Result<std::unique_ptr<Module>> Module::load(const Context& context, const std::string& name, const std::string& ptx) {
  std::unique_ptr<Module> module(new Module(context.driver(), name));
  LogBuffer error{};
  CUjit_option options[] = {CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
  void* values[] = {error.data(), reinterpret_cast<void*>(kLogSize)};
  const CUresult result = module->driver_->api().cuModuleLoadDataEx(&module->module_, ptx.c_str(), 2, options, values);
  Status status = module->driver_->status(result, "compiling " + name);
  if (status.ok()) return module;
  if (const std::string said = one_line(error); !said.empty()) status.message += ": " + said;
  return status;
}

Module::~Module() {
  if (module_ != nullptr) driver_->api().cuModuleUnload(module_);
}

Result<CUfunction> Module::function(const std::string& kernel) const {
  CUfunction function = nullptr;
  NAMESAKE_TRY(driver_->status(driver_->api().cuModuleGetFunction(&function, module_, kernel.c_str()), name_ + " has no " + kernel));
  return function;
}

}  // namespace namesake::cuda
