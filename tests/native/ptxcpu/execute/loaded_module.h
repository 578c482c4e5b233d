// A PTX module that can be launched: translated, compiled by the C++ compiler, and loaded.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "runtime/abi.h"

namespace ptxcpu {

struct DeviceVariable {
  std::uint64_t address = 0, size = 0;
};

class LoadedModule {
 public:
  /// Refuses what the device's driver would: kNoBinaryForGpu for a newer target, kUnsupportedPtxVersion for a newer .version, kInvalidPtx
  /// for what does not translate (`log` names lines and opcodes). Compiling takes seconds the first time; the result is kept in
  /// PTXCPU_CACHE. Its variables lie on `device`.
  static int load(const std::string& ptx, int device, std::unique_ptr<LoadedModule>* module, std::string* log);
  ~LoadedModule();
  LoadedModule(const LoadedModule&) = delete;
  LoadedModule& operator=(const LoadedModule&) = delete;

  int id() const { return id_; }
  int device() const { return device_; }
  const ModuleInfo& info() const { return *info_; }
  /// The kernel of this name, or nullptr.
  const KernelInfo* kernel(const std::string& name) const;
  const DeviceVariable* variable(const std::string& name) const;

 private:
  LoadedModule() = default;
  int place_variables();

  int id_ = 0, device_ = 0;
  void* library_ = nullptr;
  const ModuleInfo* info_ = nullptr;
  std::map<std::string, DeviceVariable> variables_;
};

}  // namespace ptxcpu
