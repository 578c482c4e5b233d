#include "execute/loaded_module.h"

#include <dlfcn.h>

#include <atomic>
#include <cstring>

#include "execute/callbacks.h"
#include "execute/compiler.h"
#include "execute/device_memory.h"
#include "execute/error.h"
#include "execute/report.h"
#include "execute/settings.h"
#include "ptx/module.h"
#include "ptx/text.h"
#include "translate/translator.h"

namespace ptxcpu {
namespace {

std::string version_text(int times_ten) { return text("$.$", times_ten / 10, times_ten % 10); }

/// Would the profile's driver take it?
int accept(const Header& header, std::string* log) {
  const Profile& profile = settings().profile;
  const std::size_t sm = header.target.find("sm_");
  if (header.version == 0 || sm == header.target.npos) {
    *log = "not PTX: no .version or no .target";
    return kInvalidPtx;
  }
  if (header.version > profile.ptx_version) {
    *log = text("Unsupported .version $; current version is '$'", version_text(header.version), version_text(profile.ptx_version));
    return kUnsupportedPtxVersion;
  }
  if (std::atoi(header.target.c_str() + sm + 3) > profile.arch) {
    *log = text("PTX target $ is above the device's sm_$", header.target, profile.arch);
    return kNoBinaryForGpu;
  }
  return kSuccess;
}

}  // namespace

int LoadedModule::load(const std::string& ptx, int device, std::unique_ptr<LoadedModule>* module, std::string* log) {
  if (const int error = accept(header_of(ptx), log); error != kSuccess) return error;
  std::unique_ptr<LoadedModule> made(new LoadedModule);
  try {
    made->library_ = compile_and_open(translate(ptx), log);
  } catch (const std::exception& error) {
    *log = error.what();
  }
  if (!made->library_) return kInvalidPtx;
  static std::atomic<int> ids{0};
  made->id_ = ++ids;
  made->device_ = device;
  made->info_ = static_cast<const ModuleInfo*>(dlsym(made->library_, "ptxcpu_module"));
  *made->info_->callbacks = &callbacks();
  if (const int error = made->place_variables(); error != kSuccess) return error;
  tell(text("module $: $ kernels", made->id_, made->info_->kernel_count));
  *module = std::move(made);
  return kSuccess;
}

int LoadedModule::place_variables() {
  for (u32 i = 0; i < info_->variable_count; ++i) {
    const VariableInfo& info = info_->variables[i];
    std::uint64_t address = 0;
    const MemoryKind kind = info.space == SPACE_CONSTANT ? MemoryKind::constant : MemoryKind::variable;
    if (const int error = allocate(info.size ? info.size : 1, kind, device_, &address); error != kSuccess) return error;
    std::memset(reinterpret_cast<void*>(address), 0, info.size);
    if (info.bytes_size) std::memcpy(reinterpret_cast<void*>(address), info.bytes, std::min(info.bytes_size, info.size));
    *info.address = address;
    variables_[info.name] = {address, info.size};
  }
  for (u32 i = 0; i < info_->relocation_count; ++i) {
    const RelocationInfo& info = info_->relocations[i];
    const u64 target = info.function ? reinterpret_cast<u64>(info.function) : *info.variable;
    const u64 value = target + static_cast<u64>(info.add);
    std::memcpy(reinterpret_cast<void*>(*info.address + info.offset), &value, sizeof value);
  }
  return kSuccess;
}

LoadedModule::~LoadedModule() {
  for (const auto& [name, variable] : variables_) {
    free_memory(variable.address, kind_bit(MemoryKind::variable) | kind_bit(MemoryKind::constant), "cuModuleUnload");
  }
  if (library_) dlclose(library_);
}

const KernelInfo* LoadedModule::kernel(const std::string& name) const {
  for (u32 i = 0; i < info_->kernel_count; ++i) {
    if (name == info_->kernels[i].name) return &info_->kernels[i];
  }
  return nullptr;
}

const DeviceVariable* LoadedModule::variable(const std::string& name) const {
  const auto found = variables_.find(name);
  return found == variables_.end() ? nullptr : &found->second;
}

}  // namespace ptxcpu
