// CUDA Driver API, "Module Management".
#include <cstring>
#include <fstream>
#include <sstream>

#include "driver/image.h"
#include "driver/state.h"
#include "execute/report.h"
#include "ptx/text.h"

using namespace ptxcpu;

namespace {

/// The log buffers that a caller gave with cuModuleLoadDataEx.
struct JitLog {
  char* text = nullptr;
  void** size_slot = nullptr;

  void write(const std::string& message) const {
    if (!text || !size_slot) return;
    const std::size_t room = static_cast<unsigned>(reinterpret_cast<std::uintptr_t>(*size_slot));
    const std::size_t length = room ? std::min(message.size(), room - 1) : 0;
    if (room) {
      std::memcpy(text, message.data(), length);
      text[length] = 0;
    }
    *size_slot = reinterpret_cast<void*>(length);
  }
};

struct JitOptions {
  JitLog errors, info;
  bool known = true;
};

JitOptions read_options(unsigned count, const CUjit_option* options, void** values) {
  JitOptions out;
  for (unsigned i = 0; i < count; ++i) {
    switch (options[i]) {
      case CU_JIT_ERROR_LOG_BUFFER:
        out.errors.text = static_cast<char*>(values[i]);
        break;
      case CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES:
        out.errors.size_slot = &values[i];
        break;
      case CU_JIT_INFO_LOG_BUFFER:
        out.info.text = static_cast<char*>(values[i]);
        break;
      case CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES:
        out.info.size_slot = &values[i];
        break;
      case CU_JIT_MAX_REGISTERS:
      case CU_JIT_OPTIMIZATION_LEVEL:
      case CU_JIT_LOG_VERBOSE:
        break;
      default:
        report(text("cuModuleLoadDataEx: JIT option $ is not known", static_cast<int>(options[i])));
        out.known = false;
    }
  }
  return out;
}

CUresult load(CUmodule* module, const void* image, const JitOptions& options) {
  return in_context([&] {
    if (!image || !module || !options.known) return CUDA_ERROR_INVALID_VALUE;
    std::string ptx, log;
    CUresult done = ptx_of_image(image, &ptx);
    if (done != CUDA_SUCCESS) return done;
    auto made = std::make_unique<CUmod_st>();
    done = result(LoadedModule::load(ptx, current_device(), &made->loaded, &log));
    options.errors.write(log);
    options.info.write("");
    if (done != CUDA_SUCCESS) return refuse(log, done);
    *module = made.release();
    driver().modules.insert(*module);
    return CUDA_SUCCESS;
  });
}

}  // namespace

DRIVER_API cuModuleLoadData(CUmodule* module, const void* image) { return load(module, image, {}); }

/// Writes what went wrong into the error log buffer, as a driver's JIT does.
DRIVER_API cuModuleLoadDataEx(CUmodule* module, const void* image, unsigned count, CUjit_option* options, void** values) {
  return load(module, image, read_options(count, options, values));
}

DRIVER_API cuModuleLoadFatBinary(CUmodule* module, const void* image) { return load(module, image, {}); }

DRIVER_API cuModuleLoad(CUmodule* module, const char* path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return CUDA_ERROR_FILE_NOT_FOUND;
  std::stringstream bytes;
  bytes << file.rdbuf();
  return load(module, bytes.str().c_str(), {});
}

DRIVER_API cuModuleUnload(CUmodule module) {
  return in_context([&] {
    if (!driver().modules.contains(module)) return CUDA_ERROR_INVALID_HANDLE;
    const CUresult done = driver().queues.drain_all();
    driver().modules.erase(module);
    delete module;
    return done;
  });
}

DRIVER_API cuModuleGetFunction(CUfunction* function, CUmodule module, const char* name) {
  return in_context([&] {
    if (!driver().modules.contains(module)) return CUDA_ERROR_INVALID_HANDLE;
    const KernelInfo* kernel = module->loaded->kernel(name);
    if (!kernel) return refuse(text("cuModuleGetFunction: no kernel '$' in the module", name), CUDA_ERROR_NOT_FOUND);
    std::unique_ptr<CUfunc_st>& made = module->functions[name];
    if (!made) made.reset(new CUfunc_st{module, kernel});
    *function = made.get();
    return CUDA_SUCCESS;
  });
}

DRIVER_API cuModuleGetGlobal_v2(CUdeviceptr* address, std::size_t* bytes, CUmodule module, const char* name) {
  return in_context([&] {
    if (!driver().modules.contains(module)) return CUDA_ERROR_INVALID_HANDLE;
    const DeviceVariable* variable = module->loaded->variable(name);
    if (!variable) return CUDA_ERROR_NOT_FOUND;
    if (address) *address = variable->address;
    if (bytes) *bytes = variable->size;
    return CUDA_SUCCESS;
  });
}
