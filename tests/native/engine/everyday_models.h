// Models of everyday size and how they are trained on a card of 8 GB: their shapes and settings, for tests of plans and of what is used.
#pragma once

#include <string>
#include <vector>

#include "namesake/memory.h"
#include "namesake/model.h"

namespace namesake::test {

/// A model, and a training of it on nf4 weights with layers computed again.
struct EverydayTraining {
  std::string what;
  Config config;
  std::uint64_t file_bytes = 0;   ///< of its bf16 folder
  std::int64_t rank = 0, batch_tokens = 0;
  int state_bits = 32;
  double most_gigabytes = 0;      ///< that it may take of the card

  MemoryOptions options() const;
};

std::vector<EverydayTraining> everyday_trainings();

/// The folder of a model of this shape, qwen2 or internlm2, in `folder`, which is there: bf16 weights that are all zero and take no room on
/// the disk.
void write_zero_model(const std::string& folder, const Config& config);

/// The same with random weights, all out of one pool.
void write_random_model(const std::string& folder, const Config& config);

}  // namespace namesake::test
