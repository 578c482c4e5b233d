// See engine/gradients.h; also the public gradients() of trainer.h.
#include "engine/gradients.h"

#include <algorithm>

#include "engine/lora_layout.h"
#include "engine/optimizer.h"
#include "engine/stopwatch.h"

namespace namesake {

Status check_trainable(Adapter& adapter) {
  for (const Trainable& t : adapter.trainables()) {
    if (!t.grad || !(t.m.values || t.m.codes)) return Status::error(Code::internal, "the adapter was opened without gradients");
  }
  return {};
}

Status step_gradients(const Model& model, Adapter& adapter, LossGraph& loss, std::span<const Batch> micro_batches,
                      StepResult& result) {
  if (micro_batches.empty()) return Status::error(Code::rows_invalid, "a step has no batch");
  NAMESAKE_TRY(loss.hold());
  const ScratchScope scratch = loss.scratch();
  NAMESAKE_TRY(zero_gradients(model.backend(), adapter.trainables()));
  LossSums sums;
  for (const Batch& batch : micro_batches) {
    NAMESAKE_TRY(loss.run(batch, sums));
    result.tokens += static_cast<std::int64_t>(batch.ids.size());
  }
  result.ce = sums.ce;
  result.kl = sums.kl;
  result.loss = sums.ce + sums.kl;
  result.seconds = {sums.forward_seconds, sums.backward_seconds, 0};
  Stopwatch watch;
  NAMESAKE_TRY(gradient_norm(model.backend(), adapter.trainables(), result.grad_norm));
  result.seconds.update = watch.lap();
  return {};
}

Result<Gradients> gradients(Model& model, Adapter& adapter, std::span<const Batch> micro_batches, int activation_bits) {
  NAMESAKE_TRY(check_trainable(adapter));
  LossGraph loss(model, &adapter, {Keep::all, activation_bits == 16});
  std::size_t tokens = 0;
  for (const Batch& batch : micro_batches) tokens = std::max(tokens, batch.ids.size());
  NAMESAKE_TRY(loss.reserve(BatchRoom::plain(static_cast<std::int64_t>(tokens))));
  Gradients out;
  NAMESAKE_TRY(step_gradients(model, adapter, loss, micro_batches, out.result));
  for (std::size_t i = 0; i < adapter.trainables().size(); ++i) {
    const Trainable& t = adapter.trainables()[i];
    std::vector<float> own(static_cast<std::size_t>(t.rows * t.cols));
    NAMESAKE_TRY(model.backend().download(own.data(), t.grad, own.size() * sizeof(float)));
    out.tensors.emplace_back(t.name, to_hugging_face(model.config(), lora_part(model.config(), adapter.shape().first_layer, i), t.cols, own));
  }
  return out;
}

}  // namespace namesake
