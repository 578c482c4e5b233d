// Gradients of one optimizer step.
#pragma once

#include <span>

#include "engine/loss.h"
#include "namesake/trainer.h"

namespace namesake {

/// internal where the adapter has no gradients, or no optimizer state.
Status check_trainable(Adapter& adapter);

/// Sums the gradients of all micro-batches in the adapter's trainables, and fills all of `result` but step, lr and what AdamW takes.
/// `loss` must train this adapter and have its room. rows.invalid | training.diverged | cancelled; gradients are then undefined.
Status step_gradients(const Model& model, Adapter& adapter, LossGraph& loss, std::span<const Batch> micro_batches,
                      StepResult& result);

}  // namespace namesake
