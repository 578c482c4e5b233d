// Trainer: gradients of all micro-batches, then one update that either happens whole or not at all.
#include "namesake/trainer.h"

#include <cmath>
#include <string>
#include <utility>

#include "engine/arena.h"
#include "engine/checkpoint.h"
#include "engine/gradients.h"
#include "engine/loss.h"
#include "engine/lora_layout.h"
#include "engine/memory_plan.h"
#include "engine/moment.h"
#include "engine/optimizer.h"
#include "engine/stopwatch.h"
#include "namesake/cancel_scope.h"

namespace namesake {

namespace {

Status unsupported(const std::string& what) { return Status::error(Code::recipe_unsupported, what); }

Status check_options(const TrainerOptions& o) {
  const auto at_least = [](float value, float least) { return std::isfinite(value) && value >= least; };
  if (!at_least(o.lr, 0)) return unsupported("lr must be a number of at least 0");
  if (!at_least(o.beta1, 0) || o.beta1 >= 1 || !at_least(o.beta2, 0) || o.beta2 >= 1) {
    return unsupported("betas must be in [0, 1)");
  }
  if (!at_least(o.eps, 0) || o.eps == 0) return unsupported("eps must be positive");
  if (!at_least(o.weight_decay, 0)) return unsupported("weight_decay must be a number of at least 0");
  if (!at_least(o.clip, 0)) return unsupported("clip must be a number of at least 0");
  if (!at_least(o.loraplus_lr_ratio, 0) || o.loraplus_lr_ratio == 0) return unsupported("loraplus_lr_ratio must be positive");
  if (o.state_bits != 32 && o.state_bits != 8) return unsupported("state_bits must be 32 or 8");
  if (o.activation_bits != 32 && o.activation_bits != 16) return unsupported("activation_bits must be 32 or 16");
  if (o.warmup_steps < 0) return unsupported("warmup_steps must be at least 0");
  if (o.steps < 1) return unsupported("steps must be at least 1");
  if (o.packed_tokens < 0 || o.packed_tokens > o.batch_tokens) {
    return unsupported("packed_tokens must be between 0 and batch_tokens");
  }
  if (o.batch_tokens < 1 || o.batch_tokens > kMostBatchTokens) {
    return unsupported("batch_tokens must be between 1 and " + std::to_string(kMostBatchTokens));
  }
  return {};
}

BatchRoom room_of(const TrainerOptions& o) { return batch_room(o.batch_tokens, o.packed_tokens); }

class TrainerOfAdapter final : public Trainer {
 public:
  TrainerOfAdapter(std::shared_ptr<Model> model, std::shared_ptr<Adapter> adapter, const TrainerOptions& options)
      : model_(std::move(model)), adapter_(std::move(adapter)), options_(options),
        loss_(*model_, adapter_.get(), {options.recompute.value_or(false) ? Keep::inputs : Keep::all, options.activation_bits == 16}) {}

  Status reserve(std::shared_ptr<Arena> arena) { return loss_.reserve(room_of(options_), std::move(arena)); }

  Result<StepResult> step(std::span<const Batch> micro_batches) override {
    StepResult result;
    {
      CancelScope scope(model_->backend(), cancel_);
      NAMESAKE_TRY(step_gradients(*model_, *adapter_, loss_, micro_batches, result));
    }
    if (cancel_ && cancel_->load()) return Status::error(Code::cancelled, "cancelled before the update");
    // From here on the step is not interrupted: a half-updated adapter could not be resumed.
    Stopwatch watch;
    result.step = step_ + 1;
    result.lr = options_.lr * schedule_factor(options_.schedule, result.step, options_.warmup_steps, options_.steps);
    NAMESAKE_TRY(update(model_->backend(), options_, result.step, result.lr, clip_factor(result.grad_norm, options_.clip),
                        adapter_->trainables()));
    // What fails here belongs to this step, not to what comes next.
    NAMESAKE_TRY(model_->backend().finish());
    result.seconds.update += watch.lap();
    step_ = result.step;
    return result;
  }

  std::int64_t step_count() const override { return step_; }

  Status save_checkpoint(const std::string& folder, const std::string& base_model) override {
    return write_checkpoint(*model_, *adapter_, options_, step_, folder, base_model);
  }

  Status load_checkpoint(const std::string& folder) override {
    const Result<std::int64_t> step = read_checkpoint(*model_, *adapter_, options_, folder);
    if (!step.ok()) return step.status();
    step_ = step.value();
    return {};
  }

  void release_activations() override { loss_.release(); }

  void set_cancel(const std::atomic<bool>* flag) override { cancel_ = flag; }

 private:
  std::shared_ptr<Model> model_;
  std::shared_ptr<Adapter> adapter_;
  TrainerOptions options_;
  LossGraph loss_;
  std::int64_t step_ = 0;
  const std::atomic<bool>* cancel_ = nullptr;
};

}  // namespace

Result<std::shared_ptr<Arena>> reserve_training(const Model& model, const LoraShape& lora, TrainerOptions& options) {
  NAMESAKE_TRY(check_options(options));
  NAMESAKE_TRY(check_lora(model.config(), lora));
  const TrainingMemory memory = plan_training(model.config(), model.backend(), lora, room_of(options), options.recompute,
                                              model.backend().available(), options.state_bits, options.activation_bits);
  const std::string what = "training with batches of " + std::to_string(options.batch_tokens) + " tokens";
  NAMESAKE_TRY(check_available(model.backend(), memory.total(), what));
  auto arena = std::make_shared<Arena>(model.shared_backend());
  const std::size_t steps = LossGraph::has_own_arena(model.backend()) ? memory.activations + memory.scratch : 0;
  NAMESAKE_TRY(arena->reserve(memory.total() - steps, what));
  options.recompute = memory.recompute;
  return arena;
}

Result<std::unique_ptr<Trainer>> Trainer::create(std::shared_ptr<Model> model, std::shared_ptr<Adapter> adapter,
                                                 const TrainerOptions& options, std::shared_ptr<Arena> arena) {
  NAMESAKE_TRY(check_options(options));
  NAMESAKE_TRY(check_trainable(*adapter));
  std::vector<Trainable>& trainables = adapter->trainables();
  for (const Trainable& t : trainables) {
    if ((t.m.codes != nullptr) != has_codes(t.rows * t.cols, options.state_bits)) {
      return Status::error(Code::internal, "the adapter was made for other state_bits");
    }
  }
  // Each A is followed by its B.
  for (std::size_t i = 1; i < trainables.size(); i += 2) trainables[i].lr_scale = options.loraplus_lr_ratio;
  auto trainer = std::make_unique<TrainerOfAdapter>(std::move(model), std::move(adapter), options);
  NAMESAKE_TRY(trainer->reserve(std::move(arena)));
  return std::unique_ptr<Trainer>(std::move(trainer));
}

}  // namespace namesake
