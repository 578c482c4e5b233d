// Driver: NVIDIA's driver library, opened while the program runs. Nothing is linked: without a driver the engine starts as well.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backend/cuda/cuda_api.h"
#include "namesake/status.h"

namespace namesake::cuda {

/// The oldest driver that works: R450, which knows CUDA 11.0 and PTX 7.0 (1000 * major + 10 * minor).
constexpr int kLeastDriver = 11000;

/// A driver that is open and initialised, with every function of cuda_api.h. It stays loaded until the process ends: it has
/// threads and handlers of its own that do not survive being unloaded.
class Driver {
 public:
  /// The system's own driver, from the system's own folders by full path: no variable of the environment and no file beside the
  /// program can put another one in its place. gpu.no_driver, gpu.driver_unusable (damaged, or out of step with the
  /// kernel's half), gpu.driver_too_old, gpu.no_card.
  static Result<std::shared_ptr<const Driver>> open();

  /// A stand-in by its path (tests).
  static Result<std::shared_ptr<const Driver>> open(const std::string& library);

  const Functions& api() const { return functions_; }
  int version() const { return version_; }                      ///< newest CUDA that it knows: 1000 * major + 10 * minor
  const std::string& library() const { return library_; }       ///< the file that was opened

  /// Whether Windows' display driver model (WDDM) lies below, which may move a card's memory out and ends a kernel after two
  /// seconds: on Windows but for cards under NVIDIA's compute model, and in its Linux subsystem.
  bool wddm(CUdevice device) const;

  /// "CUDA_ERROR_OUT_OF_MEMORY (out of memory)", or the number where the driver does not know it.
  std::string describe(CUresult result) const;

  /// ok, or what the driver said to `what` ("opening a stream"): gpu.memory_insufficient, gpu.driver_too_old for PTX that it
  /// does not know, gpu.driver_unusable without its compiler, otherwise gpu.failed.
  Status status(CUresult result, const std::string& what) const;

 private:
  static Result<std::shared_ptr<const Driver>> open_first(const std::vector<std::string>& places);
  Status start(void* handle);

  std::string library_;
  Functions functions_;
  int version_ = 0;
};

/// "12.8" of 12080.
std::string version_text(int version);

}  // namespace namesake::cuda
