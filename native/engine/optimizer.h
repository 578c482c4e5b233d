// Optimizer: global norm, clipping and AdamW over a list of trainables.
#pragma once

#include <cstdint>
#include <vector>

#include "namesake/trainer.h"

namespace namesake {

/// Sets every gradient to zero.
Status zero_gradients(Backend& backend, const std::vector<Trainable>& trainables);

/// Square root of the sum of squares of all gradients: f64, tensor by tensor in the list's order.
/// training.diverged names the first tensor with a value that is not finite.
Status gradient_norm(Backend& backend, const std::vector<Trainable>& trainables, double& norm);

/// Factor of the gradients: min(1, clip / (norm + 1e-6)) as torch's clip_grad_norm_; 1 where clip is 0.
double clip_factor(double norm, double clip);

/// One AdamW update of every trainable; `step` counts from 1.
Status update(Backend& backend, const TrainerOptions& options, std::int64_t step, double lr, double grad_scale,
              const std::vector<Trainable>& trainables);

}  // namespace namesake
