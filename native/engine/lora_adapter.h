// LoraAdapter: the one implementation of Adapter, its memory and its trainables.
#pragma once

#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "engine/arena.h"
#include "namesake/model.h"

namespace namesake {

class LoraAdapter final : public Adapter {
 public:
  /// Room for the factors of `shape`, all zero; with `trainable` also gradients and optimizer states: from
  /// `arena`, or from one of its own where that is nullptr. recipe.unsupported for a rank outside 1..1024, layers that a model lacks, an alpha that is not
  /// a positive number, or state_bits that are neither 32 nor 8; memory.insufficient.
  static Result<std::shared_ptr<LoraAdapter>> allocate(const Model& model, const LoraShape& shape, float alpha, bool trainable,
                                                       std::shared_ptr<Arena> arena, int state_bits);

  /// A of the trainable at `index` as Adapter::create describes it.
  Status init_a(std::size_t index, std::uint64_t seed);
  /// Values of the trainable at `index`, [rows, cols] in the model's own row order.
  Status set_values(std::size_t index, std::span<const float> values);

  LoraShape shape() const override { return shape_; }
  float alpha() const override { return alpha_; }
  LoraView view(std::int64_t layer, Linear linear) const override;
  LoraGradient gradient(std::int64_t layer, Linear linear) const override;
  std::vector<Trainable>& trainables() override { return trainables_; }
  Status save(const std::string& folder, const std::string& base_model) const override;

 private:
  LoraAdapter(std::shared_ptr<Arena> arena, const Config& config, const LoraShape& shape, float alpha)
      : arena_(std::move(arena)), config_(config), shape_(shape), alpha_(alpha) {}

  std::shared_ptr<Arena> arena_;
  Config config_;
  LoraShape shape_;
  float alpha_;
  std::vector<Trainable> trainables_;
};

}  // namespace namesake
