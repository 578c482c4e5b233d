// LossGraph: from a packed batch to its loss and, where asked, the adapter's gradients.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/activations.h"
#include "engine/graph.h"
#include "namesake/trainer.h"

namespace namesake {

/// Sums of one or more batches, in f64 and in row order.
struct LossSums {
  double ce = 0;  ///< sum of weight * cross-entropy
  double kl = 0;  ///< sum of weight * KL(base ‖ tuned)
};

/// The rows of a batch that the loss looks at, already shifted: row i predicts the token at i + 1 of its sequence.
struct LossRows {
  std::vector<std::int32_t> row;      ///< [P] index into the batch, ascending
  std::vector<std::int32_t> target;   ///< [P] next label, -100 = none
  std::vector<float> ce_weight;       ///< [P]
  std::vector<float> kl_weight;       ///< [P]

  std::int64_t size() const { return static_cast<std::int64_t>(row.size()); }
};

/// rows.invalid for lengths that disagree, ids or labels outside the vocabulary, positions outside the context, weights
/// that are not finite, or cu_seqlens that do not run from 0 to M without going down.
Status check_batch(const Config& config, const Batch& batch);

/// Rows with a weight; a label of -100 has no cross-entropy whatever its weight.
LossRows loss_rows(const Batch& batch);

/// Owns the activations of its passes. One batch at a time.
class LossGraph {
 public:
  /// `adapter` may be nullptr (base model). `train`: keep what the backward pass needs; the adapter must have gradients.
  LossGraph(const Model& model, const Adapter* adapter, bool train);

  /// Adds the batch's weighted losses to `sums`. With `train` also adds the gradients of their sum to the adapter's.
  /// training.diverged where a loss is not finite (gradients are then incomplete).
  Status run(const Batch& batch, LossSums& sums);

  /// Unweighted losses of the labelled rows, adapter on and off.
  Status score(const Batch& batch, ScoreResult& result);

  /// Gives the activations back until the next call makes them again: they hold nothing between calls.
  void release() { acts_.release(); }

 private:
  /// A pass over packed sequences, and which of its rows are wanted.
  struct Pass {
    Packed packed;
    std::vector<std::int32_t> rows;   ///< rows of `packed`, ascending
    std::vector<std::int32_t> slots;  ///< base pass: the place of each among the batch's loss rows
  };
  static Pass tuned_pass(const Batch& batch, const LossRows& rows);
  static Pass base_pass(const Batch& batch, const LossRows& rows);
  Status reserve(const Pass& pass) { return acts_.reserve(pass.packed.tokens(), pass.packed.expanded()); }
  Status hidden(const Pass& pass, bool adapter_on, float* rows_norm);
  Status base_hidden(const Pass& pass, const LossRows& rows);
  Status upload_rows(const LossRows& rows);
  Status head(const LossRows& rows, const float* x, const float* x_base, float* dx);
  Status download_losses(std::int64_t count, const float* from, std::vector<float>& to);

  const Model& model_;
  const Adapter* adapter_;
  bool train_;
  Graph graph_;
  Activations acts_;
};

}  // namespace namesake
