// CUDA Driver API, "Execution Control": kernels' attributes and launches, and "Occupancy". Registers are not modelled.
#include <algorithm>
#include <cstring>

#include "driver/state.h"
#include "execute/launch.h"
#include "execute/settings.h"
#include "ptx/text.h"

using namespace ptxcpu;

namespace {

constexpr unsigned kMaxBlockThreads = 1024;
constexpr unsigned kPlainShared = 48 << 10;  ///< what a block may have without opting in

unsigned max_threads(CUfunction function) { return function->kernel->max_threads ? function->kernel->max_threads : kMaxBlockThreads; }

/// The most dynamic shared memory that a launch may ask for now.
unsigned dynamic_limit(CUfunction function) {
  const unsigned plain = kPlainShared - std::min(kPlainShared, function->kernel->shared_bytes);
  return std::max(plain, static_cast<unsigned>(std::max(0, function->max_dynamic_shared)));
}

/// What is wrong with a launch's sizes, or nothing.
std::string wrong_sizes(CUfunction function, const unsigned (&grid)[3], const unsigned (&block)[3], unsigned dynamic) {
  const std::uint64_t threads = std::uint64_t{block[0]} * block[1] * block[2];
  if (!grid[0] || !grid[1] || !grid[2] || grid[0] > 2147483647u || grid[1] > 65535 || grid[2] > 65535)
    return "grid dimensions out of range";
  if (!threads || block[0] > 1024 || block[1] > 1024 || block[2] > 64 || threads > kMaxBlockThreads) {
    return "block dimensions out of range (1024 threads at most)";
  }
  if (threads > max_threads(function)) {
    return text("block of $ threads exceeds __launch_bounds__ of $", threads, max_threads(function));
  }
  if (function->kernel->shared_bytes > kPlainShared) return "more than 48 KiB of static shared memory";
  if (dynamic > dynamic_limit(function)) {
    return text("$ bytes of dynamic shared memory beside $ static ones exceed $ (MAX_DYNAMIC_SHARED_SIZE_BYTES not set high enough?)",
                dynamic, function->kernel->shared_bytes, dynamic_limit(function));
  }
  return "";
}

/// Fills the parameters of a launch from either of the ways to give them; says what is wrong, or nothing.
std::string read_params(const KernelInfo& kernel, void** params, void** extra, std::vector<unsigned char>* out) {
  out->assign((kernel.param_bytes + 31) & ~15u, 0);
  if (params) {
    for (unsigned i = 0; i < kernel.param_count; ++i) {
      if (!params[i]) return text("parameter $ is null", i);
      std::memcpy(out->data() + kernel.params[i].offset, params[i], kernel.params[i].size);
    }
    return "";
  }
  if (!extra) return kernel.param_count ? "no parameters given" : "";
  const void* buffer = nullptr;
  std::size_t size = 0;
  for (int i = 0; extra[i] != CU_LAUNCH_PARAM_END; i += 2) {
    if (extra[i] == CU_LAUNCH_PARAM_BUFFER_POINTER) buffer = extra[i + 1];
    if (extra[i] == CU_LAUNCH_PARAM_BUFFER_SIZE) size = *static_cast<std::size_t*>(extra[i + 1]);
  }
  if (!buffer || size < kernel.param_bytes) return "the parameter buffer is too small";
  std::memcpy(out->data(), buffer, kernel.param_bytes);
  return "";
}

}  // namespace

DRIVER_API cuFuncSetAttribute(CUfunction function, CUfunction_attribute which, int value) {
  return in_context([&] {
    if (which == CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT) return CUDA_SUCCESS;
    if (which != CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES) {
      return refuse(text("cuFuncSetAttribute: attribute $ cannot be set", static_cast<int>(which)));
    }
    const std::uint32_t limit = shared_optin(settings().profile.arch);
    if (value < 0 || static_cast<unsigned>(value) + function->kernel->shared_bytes > limit) {
      return refuse(text("cuFuncSetAttribute: $ bytes of dynamic shared memory for $, whose device has $ a block", value,
                         function->kernel->name, limit));
    }
    function->max_dynamic_shared = value;
    return CUDA_SUCCESS;
  });
}

DRIVER_API cuFuncGetAttribute(int* value, CUfunction_attribute which, CUfunction function) {
  return in_context([&] {
    const KernelInfo& kernel = *function->kernel;
    switch (which) {
      case CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK:
        *value = static_cast<int>(max_threads(function));
        return CUDA_SUCCESS;
      case CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES:
        *value = static_cast<int>(kernel.shared_bytes);
        return CUDA_SUCCESS;
      case CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES:
        *value = static_cast<int>(kernel.local_bytes);
        return CUDA_SUCCESS;
      case CU_FUNC_ATTRIBUTE_PTX_VERSION:
      case CU_FUNC_ATTRIBUTE_BINARY_VERSION:
        *value = settings().profile.arch;
        return CUDA_SUCCESS;
      case CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES:
        *value = static_cast<int>(dynamic_limit(function));
        return CUDA_SUCCESS;
      default:
        return refuse(text("cuFuncGetAttribute: attribute $ is not known", static_cast<int>(which)));
    }
  });
}

DRIVER_API cuFuncGetName(const char** name, CUfunction function) {
  return in_context([&] {
    *name = function->kernel->name;
    return CUDA_SUCCESS;
  });
}

DRIVER_API cuOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, CUfunction function, int threads, std::size_t dynamic) {
  return in_context([&] {
    if (threads <= 0) return CUDA_ERROR_INVALID_VALUE;
    const int arch = settings().profile.arch;
    const std::size_t shared = function->kernel->shared_bytes + dynamic;
    int most = threads > static_cast<int>(kMaxBlockThreads) ? 0 : threads_per_multiprocessor(arch) / threads;
    if (shared) most = std::min(most, static_cast<int>(shared_optin(arch) / shared));
    *blocks = std::min(most, blocks_per_multiprocessor(arch));
    return CUDA_SUCCESS;
  });
}

DRIVER_API cuLaunchKernel(CUfunction function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x, unsigned block_y,
                          unsigned block_z, unsigned dynamic, CUstream stream, void** params, void** extra) {
  return in_context([&] {
    if (!function || !driver().modules.contains(function->module) || !known_stream(stream)) return CUDA_ERROR_INVALID_HANDLE;
    const bool elsewhere = driver().streams.contains(stream) && stream->device != current_device();
    if (elsewhere || function->module->loaded->device() != current_device()) {
      return refuse(text("launch of $: its module or stream is of another device's context", function->kernel->name), CUDA_ERROR_INVALID_HANDLE);
    }
    const unsigned grid[] = {grid_x, grid_y, grid_z}, block[] = {block_x, block_y, block_z};
    Launch launch{function->module->loaded.get(), function->kernel, {grid_x, grid_y, grid_z}, {block_x, block_y, block_z}, dynamic, {}};
    std::string wrong = wrong_sizes(function, grid, block, dynamic);
    if (wrong.empty()) wrong = read_params(*function->kernel, params, extra, &launch.params);
    if (!wrong.empty()) return refuse(text("launch of $: $", function->kernel->name, wrong));
    return driver().queues.submit(stream, [launch] { return run_launch(launch); });
  });
}

DRIVER_API cuLaunchKernelEx(const CUlaunchConfig* config, CUfunction function, void** params, void** extra) {
  for (unsigned i = 0; i < config->numAttrs; ++i) {
    const CUlaunchAttributeID id = config->attrs[i].id;
    if (id == CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION || id == CU_LAUNCH_ATTRIBUTE_COOPERATIVE) {
      return refuse("cuLaunchKernelEx: no clusters and no cooperative launches here", CUDA_ERROR_NOT_SUPPORTED);
    }
  }
  return cuLaunchKernel(function, config->gridDimX, config->gridDimY, config->gridDimZ, config->blockDimX, config->blockDimY,
                        config->blockDimZ, config->sharedMemBytes, config->hStream, params, extra);
}
