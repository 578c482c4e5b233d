// LossGraph: from a packed batch to its loss and, where asked, the adapter's gradients.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/activations.h"
#include "engine/arena.h"
#include "engine/graph.h"
#include "namesake/trainer.h"

namespace namesake {

/// Sums of one or more batches, losses in f64 and in row order.
struct LossSums {
  double ce = 0;  ///< sum of weight * cross-entropy
  double kl = 0;  ///< sum of weight * KL(base ‖ tuned)
  double forward_seconds = 0, backward_seconds = 0;
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

/// What a LossGraph needs, in bytes.
struct LossMemory {
  std::size_t activations = 0;
  std::size_t scratch = 0;

  std::size_t total() const { return activations + scratch; }
};

/// For batches of up to so much, with or without KL.
LossMemory loss_memory(const Config& config, const Backend& backend, const LoraShape& lora, const BatchRoom& room, Keeping keeping);

/// One batch at a time, in memory of a plan.
class LossGraph {
 public:
  /// `adapter` may be nullptr (base model). With a `keeping` other than nothing run() also computes gradients; the adapter must have
  /// them.
  LossGraph(const Model& model, const Adapter* adapter, Keeping keeping);

  /// Takes room for batches of up to so much from `arena`, or from an arena of its own where that is nullptr, or where the backend
  /// has memory of its own (has_own_arena).
  Status reserve(const BatchRoom& room, std::shared_ptr<Arena> arena = nullptr);
  /// Takes the room again that release() gave away, before scratch() and the calls below. The codes of Arena::reserve.
  Status hold();
  /// Ops use the planned scratch while this lives.
  ScratchScope scratch() { return {model_.backend(), scratch_, memory_.scratch}; }

  /// Adds the batch's weighted losses to `sums`, and the gradients of their sum to the adapter's. `internal` for a batch beyond the
  /// plan; training.diverged where a loss is not finite (gradients are then incomplete).
  Status run(const Batch& batch, LossSums& sums);

  /// Unweighted losses of the labelled rows, adapter on and off.
  Status score(const Batch& batch, ScoreResult& result);

  /// Lets the machine, or the card, use the memory until hold(): it holds nothing between calls.
  void release();

  /// Whether the room is a block of its own: a card takes back whole blocks only, the machine takes pages.
  static bool has_own_arena(const Backend& backend) { return !backend.reads_host_memory(); }

 private:
  /// A pass over packed sequences for the rows that the loss looks at.
  struct Pass {
    Packed packed;
    std::vector<std::int32_t> slots;  ///< base pass: the place of each wanted row among the batch's loss rows
    std::vector<std::int32_t> sequences;   ///< base pass: which of the batch's it has
    std::vector<std::int32_t> trunk_rows;  ///< which rows of acts_.trunk its own are; empty: it computes its own
  };
  Status take_own();
  Status place();
  static Pass tuned_pass(const Batch& batch, const LossRows& rows);
  static Pass base_pass(const Batch& batch, const LossRows& rows);
  Status share_trunk(Pass& whole, Pass* part);
  Status check_room(const Packed& packed) const;
  Status hidden(const Pass& pass, bool adapter_on, float* rows_norm);
  Status base_hidden(const Pass& pass, const LossRows& rows);
  Status upload_rows(const LossRows& rows);
  Status head(const LossRows& rows, const float* x, const float* x_base, float* dx);
  Status download_losses(std::int64_t count, const float* from, std::vector<float>& to);

  const Model& model_;
  const Adapter* adapter_;
  Graph graph_;
  Activations acts_;
  LossMemory memory_;
  BatchRoom room_;
  std::shared_ptr<Arena> arena_;
  std::byte* activations_ = nullptr;
  std::byte* scratch_ = nullptr;
};

}  // namespace namesake
