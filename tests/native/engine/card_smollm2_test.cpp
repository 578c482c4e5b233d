// Two steps of training of the real default model on a card, where NAMESAKE_MODEL names its GGUF file, against the processor's in f32.
#include <cmath>
#include <cstdlib>
#include <iostream>

#include "backend/cuda/cuda_fixture.h"
#include "engine/golden.h"

TEST_SUITE_BEGIN("cuda");

namespace namesake::test {

namespace {

/// The first `tokens` of a conversation, as a batch of one; every label has the same weight.
Batch beginning(const PaddedBatch& batch, std::size_t tokens) {
  PaddedBatch one = batch;
  for (auto* rows : {&one.ids, &one.labels, &one.mask}) {
    rows->resize(1);
    rows->front().resize(std::min(rows->front().size(), tokens));
  }
  return pack(one);
}

}  // namespace

TEST_CASE("cuda: two steps of SmolLM2-135M are the processor's") {
  if (cuda_backend() == nullptr) return;
  const char* path = std::getenv("NAMESAKE_MODEL");
  if (!path) {
    std::cout << "skipped: SmolLM2-135M on a card: NAMESAKE_MODEL is not set\n";
    return;
  }
  const std::vector<PaddedBatch> batches = read_batches(fixture("golden/smollm2-135m/train.json"));
  TrainerOptions options;
  options.steps = 2;
  const auto results = [&](std::shared_ptr<Backend> backend) {
    const auto model = must(Model::open(path, Precision::as_stored, backend));
    const auto adapter = must(Adapter::create(*model, 16, 32, 1, true));
    const auto trainer = must(Trainer::create(model, adapter, options));
    std::vector<StepResult> steps;
    for (std::size_t s = 0; s < 2; ++s) steps.push_back(must(trainer->step(std::vector<Batch>{beginning(batches[s], 48)})));
    return steps;
  };
  const auto actual = results({cuda_backend(), [](Backend*) {}}), expected = results(must(make_cpu_backend("scalar", 0)));
  for (std::size_t s = 0; s < 2; ++s) {
    CAPTURE(s);
    CHECK(std::fabs(actual[s].loss - expected[s].loss) <= 1e-2);                    // measured 2.5e-3
    CHECK(actual[s].grad_norm == doctest::Approx(expected[s].grad_norm).epsilon(1e-2));  // measured 2.0e-3
  }
}

}  // namespace namesake::test

TEST_SUITE_END();
