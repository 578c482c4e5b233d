#include "backend/cuda/driver.h"

#include <utility>

#include "backend/cuda/driver_library.h"

namespace namesake::cuda {
namespace {

/// Looks a function up; false where the library has none of this name.
template <class Function>
bool find(void* handle, const char* name, Function& function) {
  function = reinterpret_cast<Function>(find_function(handle, name));
  return function != nullptr;
}

}  // namespace

std::string version_text(int version) { return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10); }

Result<std::shared_ptr<const Driver>> Driver::open() { return open_first(driver_places()); }

Result<std::shared_ptr<const Driver>> Driver::open(const std::string& library) { return open_first({library}); }

Result<std::shared_ptr<const Driver>> Driver::open_first(const std::vector<std::string>& places) {
  auto opened = open_library(places);
  if (!opened.ok()) return opened.status();
  std::shared_ptr<Driver> driver(new Driver);
  driver->library_ = opened.value().path;
  NAMESAKE_TRY(driver->start(opened.value().handle));
  return std::shared_ptr<const Driver>(std::move(driver));
}

Status Driver::start(void* handle) {
#define NAMESAKE_CUDA_RESOLVE(member, exported, parameters) \
  if (!find(handle, exported, functions_.member)) {         \
    return Status::error(Code::gpu_driver_unusable, library_ + " has no function " exported); \
  }
  NAMESAKE_CUDA_FIRST_FUNCTIONS(NAMESAKE_CUDA_RESOLVE)
  // The version first: an older driver may lack the other functions, and that is not what is wrong with it.
  if (const CUresult result = functions_.cuDriverGetVersion(&version_); result != CUDA_SUCCESS) {
    return Status::error(Code::gpu_driver_unusable, "the driver does not tell its version: " + describe(result));
  }
  if (version_ < kLeastDriver) {
    return Status::error(Code::gpu_driver_too_old,
                         "it knows CUDA " + version_text(version_) + ", " + version_text(kLeastDriver) + " is needed");
  }
  NAMESAKE_CUDA_FUNCTIONS(NAMESAKE_CUDA_RESOLVE)
#undef NAMESAKE_CUDA_RESOLVE
  switch (const CUresult result = functions_.cuInit(0)) {
    case CUDA_SUCCESS: return {};
    case CUDA_ERROR_NO_DEVICE: return Status::error(Code::gpu_no_card, "the driver finds no card");
    default: return Status::error(Code::gpu_driver_unusable, "the driver does not start: " + describe(result));
  }
}

bool Driver::wddm(CUdevice device) const {
#ifdef _WIN32
  constexpr bool windows = true;
#else
  const bool windows = library_.find("/usr/lib/wsl/") != std::string::npos;
#endif
  int compute_model = 0;
  if (functions_.cuDeviceGetAttribute(&compute_model, CU_DEVICE_ATTRIBUTE_TCC_DRIVER, device) != CUDA_SUCCESS) compute_model = 0;
  return windows && compute_model == 0;
}

std::string Driver::describe(CUresult result) const {
  const char *name = nullptr, *text = nullptr;
  if (functions_.cuGetErrorName == nullptr || functions_.cuGetErrorName(result, &name) != CUDA_SUCCESS || name == nullptr) {
    return "CUDA error " + std::to_string(static_cast<int>(result));
  }
  if (functions_.cuGetErrorString(result, &text) != CUDA_SUCCESS || text == nullptr) return name;
  return std::string(name) + " (" + text + ")";
}

Status Driver::status(CUresult result, const std::string& what) const {
  const auto error = [&](Code code) { return Status::error(code, what + ": " + describe(result)); };
  switch (result) {
    case CUDA_SUCCESS: return {};
    case CUDA_ERROR_OUT_OF_MEMORY: return error(Code::gpu_memory_insufficient);
    case CUDA_ERROR_UNSUPPORTED_PTX_VERSION: return error(Code::gpu_driver_too_old);
    case CUDA_ERROR_JIT_COMPILER_NOT_FOUND:
    case CUDA_ERROR_SYSTEM_DRIVER_MISMATCH: return error(Code::gpu_driver_unusable);
    default: return error(Code::gpu_failed);
  }
}

}  // namespace namesake::cuda
