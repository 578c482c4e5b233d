// Trainer: steps of LoRA training over packed batches, and checkpoints that resume bit for bit.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "namesake/model.h"

namespace namesake {

/// Packed conversations. M tokens in S sequences. A label is for the token itself: the engine shifts by one inside each
/// sequence (the row at i predicts labels[i + 1]), so a sequence's first label and label_weights are never used.
struct Batch {
  std::vector<std::int32_t> ids;          ///< [M]
  std::vector<std::int32_t> labels;       ///< [M], -100 = not learnt
  std::vector<std::int32_t> positions;    ///< [M]; restart in each sequence
  std::vector<std::int32_t> cu_seqlens;   ///< [S + 1], from 0 to M
  std::vector<float> ce_weights;          ///< [M] weight of this label's cross-entropy in the step's loss (1 / count for a plain mean)
  std::vector<float> kl_weights;          ///< [M] weight of KL(base ‖ tuned) where this label is predicted; may be empty = 0
};

enum class Schedule { linear, cosine, constant };

struct TrainerOptions {
  float lr = 1e-3f, beta1 = 0.9f, beta2 = 0.999f, eps = 1e-8f, weight_decay = 0;
  float loraplus_lr_ratio = 1;            ///< B's learning rate over A's, which is lr (LoRA+, Hayou et al. 2024; the name is peft's)
  int state_bits = 32;                    ///< of AdamW's moments: 32, or 8 with an absmax of each 256 values, but for tensors of
                                          ///< fewer than 4,096 values (engine/moment.h). The adapter has to be made with the same
  int activation_bits = 32;               ///< of the widest that the backward pass needs of the forward pass: 32, or 16 (bf16; attention's
                                          ///< output, gate and up): less memory, gradients up to 8e-3 off (activation_bits_test)
  float clip = 1.0f;                      ///< 0 = none
  Schedule schedule = Schedule::linear;
  std::int64_t warmup_steps = 0;
  std::int64_t steps = 1;                 ///< of the whole run; the schedule ends here
  std::int64_t batch_tokens = 1024;       ///< most tokens of a micro-batch: what memory is planned for
  std::int64_t packed_tokens = 0;         ///< most of them where a beginning that all its sequences share is counted once, which
                                          ///< is how they are computed; 0 = batch_tokens
  std::optional<bool> recompute;          ///< layers are computed again for the backward pass instead of being kept: less memory,
                                          ///< more time, the same bits. Empty: only where keeping does not fit
};

inline constexpr std::int64_t kMostBatchTokens = std::int64_t{1} << 24;

/// Learning-rate factor of step s, counted from 1: s <= warmup: s / warmup; then linear (steps - s) / (steps - warmup),
/// cosine 0.5 (1 + cos(pi (s - warmup) / (steps - warmup))), constant 1.
double schedule_factor(Schedule schedule, std::int64_t step, std::int64_t warmup_steps, std::int64_t steps);

/// What the parts of a step took, in seconds of the host's clock, when all work of a part is done.
struct PhaseSeconds {
  double forward = 0;   ///< base pass where there is KL, tuned pass, head and losses, and the head's gradient, which comes with them
  double backward = 0;
  double update = 0;    ///< gradient norm, AdamW
};

struct StepResult {
  std::int64_t step = 0;       ///< counts from 1
  double loss = 0;             ///< the whole weighted sum
  double ce = 0, kl = 0;       ///< its two parts, weighted
  double grad_norm = 0;        ///< before clipping
  double lr = 0;
  std::int64_t tokens = 0;
  PhaseSeconds seconds;
};

/// Per-row losses of one batch without training: for perplexity and retention.
struct ScoreResult {
  double ce_tuned = 0, ce_base = 0;   ///< sums over labelled rows
  double kl = 0;                      ///< sum of KL(base ‖ tuned) over them
  std::int64_t labels = 0;
};

/// All memory of a training, asked for at once: adapter, gradients and optimizer state of `lora`, activations and scratch of
/// options.batch_tokens (which a card has in a block of its own, Trainer::create's). Decides options.recompute where it is empty. Adapter::create or load and Trainer::create take their
/// parts of it. memory.insufficient with what is needed at least, and nothing allocated; recipe.unsupported.
Result<std::shared_ptr<Arena>> reserve_training(const Model& model, const LoraShape& lora, TrainerOptions& options);

class Trainer {
 public:
  /// `adapter` must be trainable. Room for steps comes from `arena`, or is the trainer's own where that is nullptr (and is then
  /// kept, not recomputed, unless options say otherwise).
  static Result<std::unique_ptr<Trainer>> create(std::shared_ptr<Model> model, std::shared_ptr<Adapter> adapter,
                                                 const TrainerOptions& options, std::shared_ptr<Arena> arena = nullptr);
  virtual ~Trainer() = default;

  /// One optimizer step over micro-batches (gradients add up; weights are already normalised over the whole step).
  /// training.diverged on a loss or gradient that is not finite (the adapter is left as before the step);
  /// rows.invalid for ids or positions out of range; `internal` for a batch beyond batch_tokens or packed_tokens; cancelled leaves everything as before the step.
  virtual Result<StepResult> step(std::span<const Batch> micro_batches) = 0;

  /// Steps done so far.
  virtual std::int64_t step_count() const = 0;

  /// Writes adapter_model.safetensors, adapter_config.json, optimizer.safetensors and trainer_state.json into a new folder:
  /// everything under "<folder>.tmp", fsynced, then renamed. disk.full | disk.unwritable leave nothing behind.
  virtual Status save_checkpoint(const std::string& folder, const std::string& base_model) = 0;
  /// Continues from such a folder, bit for bit. checkpoint.invalid | adapter.*.
  virtual Status load_checkpoint(const std::string& folder) = 0;

  /// Gives the activations, the most of a trainer's memory, back to the machine until the next step writes them again: they hold
  /// nothing between steps, and decoding can use the room. Changes no bit. A card's are taken anew by the next step, which fails
  /// with gpu.memory_insufficient where another program has the room by then.
  virtual void release_activations() = 0;

  /// Looked at between tiles. Not owned; nullptr = never.
  virtual void set_cancel(const std::atomic<bool>* flag) = 0;
};

/// Losses of a batch with the adapter on and off (adapter may be nullptr: base only, ce_tuned = ce_base).
Result<ScoreResult> score(Model& model, const Adapter* adapter, const Batch& batch);

/// Logits [M, V] of one sequence of ids, adapter optional.
Result<std::vector<float>> logits(Model& model, const Adapter* adapter, const std::vector<std::int32_t>& ids);

/// Gradients of one step without the update, for tests: name -> [rows * cols], plus the step's numbers.
struct Gradients {
  StepResult result;
  std::vector<std::pair<std::string, std::vector<float>>> tensors;  ///< on-disk (Hugging Face) row order
};
Result<Gradients> gradients(Model& model, Adapter& adapter, std::span<const Batch> micro_batches, int activation_bits = 32);

}  // namespace namesake
