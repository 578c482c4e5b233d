// Gpu: which NVIDIA cards this machine has, and why one cannot be used.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "namesake/status.h"

namespace namesake {

/// One card as its driver describes it.
struct GpuCard {
  int ordinal = 0;                           ///< its number, as the driver counts
  std::string name;                          ///< "NVIDIA GeForce RTX 3060"
  int major = 0, minor = 0;                  ///< compute capability
  std::uint64_t total_memory = 0;            ///< bytes
  std::optional<std::uint64_t> free_memory;  ///< bytes, once this program has its place on the card; none where it got none
  int multiprocessors = 0;                   ///< 0 where the driver does not say
  int clock_khz = 0;                         ///< its highest; 0 where the driver does not say
  bool integrated = false;                   ///< its memory is the machine's own
  bool wddm = false;                         ///< Windows' display driver model lies below (backend/cuda/driver.h)
  Status problem;                            ///< ok, gpu.card_too_old, gpu.memory_insufficient or gpu.failed
};

/// All cards, and the one that would be taken.
struct GpuReport {
  int driver_version = 0;  ///< newest CUDA that the driver knows: 1000 * major + 10 * minor; 0 without a driver that works
  std::vector<GpuCard> cards;
  std::optional<int> chosen;  ///< its ordinal
  Status problem;             ///< why no card can be used; ok where one can
};

/// The card that a backend computes on, for those who write down what did.
struct UsedCard {
  int ordinal = 0;           ///< its number, as the driver counts
  std::string name;          ///< "NVIDIA GeForce RTX 3060"
  int major = 0, minor = 0;  ///< compute capability
  int driver_version = 0;    ///< newest CUDA that its driver knows, as in GpuReport
};

/// Looks at this machine's cards: loads the driver, and takes and gives back a place on each card, which can take a second. Any
/// thread. What is missing is no error but said in the report.
GpuReport examine_gpus();

}  // namespace namesake
