// Sampler: the next token of one answer from its logits in host memory.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "namesake/generator.h"

namespace namesake {

/// Success, or rows.invalid naming the field of `sampling` that is out of range.
Status check_sampling(const Sampling& sampling);

/// Chooses the tokens of one answer. Its choices are a function of the sampling options, the tokens so far and the logits.
class Sampler {
 public:
  /// `prompt` counts for the repetition penalty. Ids must be below the vocabulary size.
  Sampler(const Sampling& sampling, std::span<const std::int32_t> prompt);

  /// The next token from logits [V], which are overwritten; std::nullopt if a logit is NaN or none is finite.
  /// Greedy takes the lowest id among equals.
  std::optional<std::int32_t> next(std::span<float> logits);

 private:
  std::int32_t draw(std::span<const float> logits, float most) const;
  void remember(std::int32_t token);

  Sampling sampling_;
  std::uint64_t index_ = 0;           // of the next token in the answer
  std::vector<std::int32_t> seen_;    // distinct, sorted
};

}  // namespace namesake
