// Two steps of training of the real default model on a card, and an answer of it, where NAMESAKE_MODEL names its GGUF file, against the
// processor in f32.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <iostream>

#include "engine/card_models.h"
#include "namesake/generator.h"

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

/// The model's file; nullptr where there is no card, or no file, which is said.
const char* model_for(const char* what) {
  if (cuda_backend() == nullptr) return nullptr;
  const char* path = std::getenv("NAMESAKE_MODEL");
  if (!path) std::cout << "skipped: " << what << " of SmolLM2-135M on a card: NAMESAKE_MODEL is not set\n";
  return path;
}

}  // namespace

TEST_CASE("cuda: two steps of SmolLM2-135M are the processor's") {
  const char* path = model_for("two steps");
  if (!path) return;
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
  const auto actual = results(card()), expected = results(must(make_cpu_backend("scalar", 0)));
  for (std::size_t s = 0; s < 2; ++s) {
    CAPTURE(s);
    CHECK(std::fabs(actual[s].loss - expected[s].loss) <= 1e-2);                    // measured 2.5e-3
    CHECK(actual[s].grad_norm == doctest::Approx(expected[s].grad_norm).epsilon(1e-2));  // measured 2.0e-3
  }
}

TEST_CASE("cuda: an answer of SmolLM2-135M is the processor's wherever it is sure") {
  const char* path = model_for("an answer");
  if (!path) return;
  const float tolerance = 0.1f;  // of a logit
  constexpr std::size_t kTokens = 8;
  GenerateRequest request;
  request.prompt = beginning(read_batches(fixture("golden/smollm2-135m/train.json"))[0], 24).ids;
  request.max_tokens = kTokens;
  const auto ours = must(Model::open(path, Precision::as_stored, card()));
  const auto theirs = must(Model::open(path, Precision::as_stored, must(make_cpu_backend("scalar", 0))));
  const auto generator = must(Generator::create(ours, nullptr, 1));
  const std::vector<std::int32_t> tokens = must(generator->run({request}, [](std::size_t, std::int32_t) {}, nullptr))[0].tokens;
  REQUIRE(tokens.size() == kTokens);
  auto ids = request.prompt;
  ids.insert(ids.end(), tokens.begin(), tokens.end());
  const auto rows = must(logits(*theirs, nullptr, ids));
  const auto vocab = static_cast<std::size_t>(ours->config().vocab);
  std::size_t sure = 0;
  for (std::size_t t = 0; t < kTokens; ++t) {
    CAPTURE(t);
    const auto from = rows.begin() + static_cast<std::ptrdiff_t>((request.prompt.size() + t - 1) * vocab);
    std::vector<float> row(from, from + static_cast<std::ptrdiff_t>(vocab));
    const float chosen = row[static_cast<std::size_t>(tokens[t])];
    std::partial_sort(row.begin(), row.begin() + 2, row.end(), std::greater<>());
    CHECK(row[0] - chosen <= tolerance);  // measured 0: the same tokens
    sure += row[0] - row[1] > tolerance;
  }
  CHECK(sure >= kTokens / 2);  // measured: all, the least ahead by 0.3
}

}  // namespace namesake::test

TEST_SUITE_END();
