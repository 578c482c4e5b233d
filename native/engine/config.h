// Config: what no model may ask for, whichever file it was read from.
#pragma once

#include <cstdint>

#include "namesake/model.h"

namespace namesake {

inline constexpr std::int64_t kMostLayers = 1024, kMostContext = std::int64_t{1} << 20, kMostHidden = 1 << 16, kMostFfn = 1 << 18,
                              kMostHeads = 1024, kMostHeadDim = 1024, kMostVocab = 1 << 24;

/// model.invalid for sizes or rope scaling that are out of range or at odds with each other, wherever they come from.
Status check_sizes(const Config& config);

}  // namespace namesake
