// A model on a card: logits and answers against the reference. Prompts go through 16-bit products, answers through f32.
#include <algorithm>

#include "backend/cuda/cuda_fixture.h"
#include "engine/golden.h"
#include "namesake/generator.h"

TEST_SUITE_BEGIN("cuda");

namespace namesake::test {

namespace {

std::shared_ptr<Backend> card() { return {cuda_backend(), [](Backend*) {}}; }

std::vector<std::int32_t> random_ids(Random& random, const Config& config, std::int64_t count) {
  std::vector<std::int32_t> ids;
  while (static_cast<std::int64_t>(ids.size()) < count) ids.push_back(static_cast<std::int32_t>(random.integer(0, config.vocab)));
  return ids;
}

/// A model on the card and on the reference, with the same adapter.
struct Pair {
  std::shared_ptr<Model> card, reference;
  std::shared_ptr<Adapter> card_adapter, reference_adapter;

  explicit Pair(const std::string& name)
      : card(open_model(name, test::card())), reference(open_model(name, make_reference_backend())),
        card_adapter(golden_adapter(name, *card, false)), reference_adapter(golden_adapter(name, *reference, false)) {}
};

}  // namespace

TEST_CASE("cuda: logits are the reference's, with the adapter and without") {
  if (cuda_backend() == nullptr) return;
  // Relative L2, measured 2.3e-3 at most: random weights, which are the worst case.
  const double tolerance = 4e-3;
  for (const std::string name : {"tiny-llama", "tiny-kquants", "tiny-llama3", "tiny-qwen2", "tiny-qwen3", "tiny-internlm2"}) {
    CAPTURE(name);
    const Pair pair(name);
    Random random(name);
    const auto ids = random_ids(random, pair.card->config(), 21);
    for (const bool on : {false, true}) {
      CAPTURE(on);
      const auto actual = must(logits(*pair.card, on ? pair.card_adapter.get() : nullptr, ids));
      const auto expected = must(logits(*pair.reference, on ? pair.reference_adapter.get() : nullptr, ids));
      CHECK(relative_l2(actual, expected) < tolerance);
    }
  }
}

TEST_CASE("cuda: answers are the reference's wherever it is sure, and do not depend on those beside them") {
  if (cuda_backend() == nullptr) return;
  const Pair pair("tiny-llama");
  Random random("answers");
  std::vector<GenerateRequest> requests;
  for (const std::int64_t length : {1, 7, 20}) {
    GenerateRequest request;
    request.prompt = random_ids(random, pair.card->config(), length);
    request.max_tokens = 4;
    request.adapter = length != 7;
    requests.push_back(request);
  }
  const auto answers = [&](const std::vector<GenerateRequest>& some) {
    const auto generator = must(Generator::create(pair.card, pair.card_adapter, 4));
    return must(generator->run(some, [](std::size_t, std::int32_t) {}, nullptr));
  };
  const auto together = answers(requests);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const std::vector<std::int32_t>& tokens = together[i].tokens;
    CHECK(tokens.size() == 4);
    CHECK(answers({requests[i]})[0].tokens == tokens);
    auto ids = requests[i].prompt;
    ids.insert(ids.end(), tokens.begin(), tokens.end());
    const auto expected = must(logits(*pair.reference, requests[i].adapter ? pair.reference_adapter.get() : nullptr, ids));
    const auto vocab = static_cast<std::size_t>(pair.card->config().vocab);
    for (std::size_t t = 0; t < tokens.size(); ++t) {
      const auto row = expected.begin() + static_cast<std::ptrdiff_t>((requests[i].prompt.size() + t - 1) * vocab);
      const float behind = *std::max_element(row, row + static_cast<std::ptrdiff_t>(vocab)) - row[tokens[t]];
      CHECK(behind < 1e-3f);  // measured 0: the same tokens
    }
  }
}

}  // namespace namesake::test

TEST_SUITE_END();
