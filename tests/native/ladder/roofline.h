// Roofline: what a card's peaks leave of time for launches that the stand-in has counted. An estimate, from data sheets and counts alone.
#pragma once

#include <cstdint>
#include <vector>

#include "backend/cuda/stand_in_counts.h"

namespace namesake::test {

/// A card's peaks.
struct CardPeaks {
  const char* name;
  int capability;             ///< compute capability times ten
  double products;            ///< FLOP/s of dense f16 products with f32 sums
  double thread_instructions; ///< a second: four warps a cycle and multiprocessor
  double bandwidth;           ///< bytes/s of its memory
};

/// All that estimates are made for, one of each family and one for computing centres.
const std::vector<CardPeaks>& cards();

/// Seconds that launches take one after the other, each at the peak that it meets first. A card takes longer: no kernel reaches a peak,
/// and what the driver's compiler makes of PTX has other instructions.
struct Estimate {
  double cached;    ///< every byte of `argument_bytes` comes from or goes to memory once, caches serve all else
  double uncached;  ///< caches serve nothing
};

/// `argument_bytes`: what all launches together must at least read and write.
Estimate estimate(const CardPeaks& card, const std::vector<CountedLaunch>& launches, double argument_bytes);

}  // namespace namesake::test
