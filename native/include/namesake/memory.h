// Memory: what training and answering with a model take, planned from shapes alone, before anything is allocated.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "namesake/trainer.h"

namespace namesake {

/// Parts of the arena of a training, in bytes.
struct TrainingMemory {
  std::size_t adapter = 0, gradients = 0, optimizer = 0, activations = 0, scratch = 0;
  bool recompute = false;

  std::size_t total() const { return adapter + gradients + optimizer + activations + scratch; }
};

/// A model by its shapes.
struct ModelShape {
  Config config;
  std::uint64_t file_bytes = 0;
  std::uint64_t mapped = 0;  ///< of the file that stays in use: pages of copied matrices go
  std::size_t resident = 0;  ///< held beside the mapped file: converted matrices, rope table
};
/// Of a model that is here. The codes of Model::open. `in_file`: for a backend that reads the host's memory; otherwise what
/// is resident lies in the backend's.
Result<ModelShape> shape_of_file(const std::string& path, Precision precision, bool in_file = true);
/// Of a model that is not. model.invalid for sizes out of range.
Result<ModelShape> shape_of_config(const Config& config, std::uint64_t file_bytes, Precision precision, bool in_file = true);

struct MemoryOptions {
  std::int64_t rank = 0;          ///< 0 = answers only
  std::int64_t layers = 0;        ///< that have factors, from the top; 0 = all
  std::int64_t batch_tokens = 0;  ///< most tokens of a micro-batch
  std::int64_t packed_tokens = 0; ///< most of them that are computed (TrainerOptions); 0 = all
  std::optional<bool> recompute;
  int state_bits = 32;            ///< of the optimizer (TrainerOptions)
  int activation_bits = 32;       ///< of what is kept of the forward pass (TrainerOptions)
  std::int64_t slots = 0;         ///< answers side by side, 0 = none
  std::int64_t answer_tokens = 0; ///< longest prompt with its answer
  std::int64_t score_tokens = 0;  ///< largest batch that is scored
  std::uint64_t process = 0;      ///< program, tokenizer and heap
};

/// Bytes by purpose; on a card weights_mapped and process are the machine's and no part of the total. While answers are given or scores
/// are taken, the activations and their scratch are given back: the peak has the larger of the two.
struct MemoryPlan {
  std::uint64_t weights_mapped = 0, weights_resident = 0;
  TrainingMemory training;
  std::uint64_t between_steps = 0;
  std::uint64_t process = 0;
  std::uint64_t total = 0;      ///< peak of the process, or of a card
  std::uint64_t available = 0;  ///< of the machine or the card, before any of it is taken
  std::uint64_t host = 0;            ///< with a card: what the machine's own memory has besides, else 0
  std::uint64_t host_available = 0;  ///< the same
  bool fits = false;
};

/// recipe.unsupported for a rank, layers, batch_tokens, state_bits or activation_bits out of range.
Result<MemoryPlan> plan_memory(const ModelShape& model, const Backend& backend, const MemoryOptions& options);

}  // namespace namesake
