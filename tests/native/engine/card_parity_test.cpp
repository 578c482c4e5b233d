// Training on a card against torch's f32 results: losses of ten steps, gradients, and going on from a checkpoint.
#include <cmath>

#include "backend/cuda/cuda_fixture.h"
#include "engine/golden.h"

TEST_SUITE_BEGIN("cuda");

namespace namesake::test {

namespace {

std::shared_ptr<Backend> card() { return {cuda_backend(), [](Backend*) {}}; }

}  // namespace

TEST_CASE("cuda: losses of ten steps are torch's") {
  if (cuda_backend() == nullptr) return;
  const Golden golden = read_golden("tiny-llama");
  const auto model = open_model("tiny-llama", card());
  const auto trainer = must(Trainer::create(model, golden_adapter("tiny-llama", *model), golden_options()));
  double worst = 0;
  for (std::size_t s = 0; s < golden.batches.size(); ++s) {
    const StepResult result = must(trainer->step(std::vector<Batch>{pack(golden.batches[s])}));
    worst = std::max(worst, std::fabs(result.loss - double(golden.tensors.at("losses")[s])));
  }
  CHECK(worst < 1e-2);  // measured 4.5e-3
}

TEST_CASE("cuda: gradients point where torch's do") {
  if (cuda_backend() == nullptr) return;
  for (const std::string name : {"tiny-kquants", "tiny-qwen2", "tiny-qwen3", "tiny-internlm2"}) {
    CAPTURE(name);
    const Golden golden = read_golden(name);
    const auto model = open_model(name, card());
    const auto adapter = golden_adapter(name, *model);
    const Gradients ours = must(gradients(*model, *adapter, std::vector<Batch>{pack(golden.batch)}));
    double least = 1;
    for (const auto& [key, values] : ours.tensors) least = std::min(least, cosine(values, golden.tensors.at("grad." + key)));
    CHECK(least > 0.999);  // measured 0.99997
  }
}

TEST_CASE("cuda: going on from a checkpoint gives the bits of all steps in a row") {
  if (cuda_backend() == nullptr) return;
  const TemporaryFolder folder;
  const Golden golden = read_golden("tiny-llama");
  const auto model = open_model("tiny-llama", card());
  const auto steps = [&](Trainer& trainer, std::size_t from, std::size_t to) {
    for (std::size_t s = from; s < to; ++s) must(trainer.step(std::vector<Batch>{pack_row(golden.batches[s], 0)}));
  };
  const auto whole = golden_adapter("tiny-llama", *model), resumed = golden_adapter("tiny-llama", *model);
  const auto first = must(Trainer::create(model, whole, golden_options()));
  steps(*first, 0, 1);
  must(first->save_checkpoint(folder / "step-1", "tiny"));
  steps(*first, 1, 2);
  const auto second = must(Trainer::create(model, resumed, golden_options()));
  must(second->load_checkpoint(folder / "step-1"));
  steps(*second, 1, 2);
  CHECK(state_of(*resumed, *cuda_backend()) == state_of(*whole, *cuda_backend()));
}

}  // namespace namesake::test

TEST_SUITE_END();
