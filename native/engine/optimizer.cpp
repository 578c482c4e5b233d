// See engine/optimizer.h.
#include "engine/optimizer.h"

#include <algorithm>
#include <cmath>

namespace namesake {

Status zero_gradients(Backend& backend, const std::vector<Trainable>& trainables) {
  for (const Trainable& t : trainables) {
    NAMESAKE_TRY(backend.zero(t.grad, static_cast<std::size_t>(t.rows * t.cols) * sizeof(float)));
  }
  return {};
}

Status gradient_norm(Backend& backend, const std::vector<Trainable>& trainables, double& norm) {
  double total = 0;
  for (const Trainable& t : trainables) {
    double sum = 0;
    NAMESAKE_TRY(backend.sum_of_squares(t.grad, t.rows * t.cols, &sum));
    if (!std::isfinite(sum)) return Status::error(Code::training_diverged, "the gradient of " + t.name + " is not finite");
    total += sum;
  }
  norm = std::sqrt(total);
  return {};
}

double clip_factor(double norm, double clip) { return clip > 0 ? std::min(1.0, clip / (norm + 1e-6)) : 1.0; }

Status update(Backend& backend, const TrainerOptions& options, std::int64_t step, double lr, double grad_scale,
              const std::vector<Trainable>& trainables) {
  AdamW adamw;
  adamw.beta1 = options.beta1;
  adamw.beta2 = options.beta2;
  adamw.eps = options.eps;
  adamw.weight_decay = options.weight_decay;
  adamw.step = step;
  adamw.grad_scale = static_cast<float>(grad_scale);
  for (const Trainable& t : trainables) {
    adamw.lr = static_cast<float>(lr * t.lr_scale);
    if (t.m.codes) {
      NAMESAKE_TRY(backend.adamw_8bit(adamw, t.rows * t.cols, t.grad, t.value, t.m.codes, t.m.absmax, t.v.codes, t.v.absmax));
    } else {
      NAMESAKE_TRY(backend.adamw(adamw, t.rows * t.cols, t.grad, t.value, t.m.values, t.v.values));
    }
  }
  return {};
}

}  // namespace namesake
