// A model on a card: logits and answers against the reference and the processor. Prompts go through 16-bit products, answers through f32.
#include <algorithm>
#include <functional>

#include "engine/card_models.h"
#include "namesake/generator.h"

TEST_SUITE_BEGIN("cuda");

namespace namesake::test {

namespace {

std::vector<std::int32_t> random_ids(Random& random, const Config& config, std::int64_t count) {
  std::vector<std::int32_t> ids;
  while (static_cast<std::int64_t>(ids.size()) < count) ids.push_back(static_cast<std::int32_t>(random.integer(0, config.vocab)));
  return ids;
}

/// A model with its golden adapter on a backend.
struct Tuned {
  std::shared_ptr<Model> model;
  std::shared_ptr<Adapter> adapter;

  Tuned(const std::string& name, std::shared_ptr<Backend> backend)
      : model(open_kind(name, std::move(backend))), adapter(golden_adapter(name, *model, false)) {}

  std::vector<float> logits_of(const std::vector<std::int32_t>& ids, bool on) const {
    return must(logits(*model, on ? adapter.get() : nullptr, ids));
  }

  std::vector<GenerateResult> answers(const std::vector<GenerateRequest>& requests) const {
    const auto generator = must(Generator::create(model, adapter, 4));
    return must(generator->run(requests, [](std::size_t, std::int32_t) {}, nullptr));
  }
};

/// Greedy requests with prompts of these lengths; the adapter is on for every second one, from the first.
std::vector<GenerateRequest> requests_of(const Config& config, const std::vector<std::int64_t>& lengths, std::int64_t max_tokens) {
  Random random("answers");
  std::vector<GenerateRequest> requests;
  for (const std::int64_t length : lengths) {
    GenerateRequest request;
    request.prompt = random_ids(random, config, length);
    request.max_tokens = max_tokens;
    request.adapter = requests.size() % 2 == 0;
    requests.push_back(request);
  }
  return requests;
}

}  // namespace

TEST_CASE("cuda: logits are the reference's, with the adapter and without") {
  if (cuda_backend() == nullptr) return;
  // Relative L2, measured 2.3e-3 at most: random weights, which are the worst case.
  const double tolerance = 4e-3;
  for (const std::string& name : kinds_of_this_card()) {
    CAPTURE(name);
    const Tuned ours(name, card()), theirs(name, make_reference_backend());
    Random random(name);
    const auto ids = random_ids(random, ours.model->config(), 21);
    for (const bool on : {false, true}) {
      CAPTURE(on);
      CHECK(relative_l2(ours.logits_of(ids, on), theirs.logits_of(ids, on)) < tolerance);
    }
  }
}

TEST_CASE("cuda: answers of every kind of model are the processor's wherever it is sure") {
  if (cuda_backend() == nullptr) return;
  const float tolerance = 2e-2f;  // of a logit
  std::size_t sure = 0, all = 0;
  for (const std::string& name : kinds_of_this_card()) {
    CAPTURE(name);
    const Tuned ours(name, card()), theirs(name, must(make_cpu_backend("scalar", 1))), reference(name, make_reference_backend());
    const std::vector<GenerateRequest> requests = requests_of(ours.model->config(), {7, 20}, 16);
    const auto actual = ours.answers(requests), expected = theirs.answers(requests);
    const auto vocab = static_cast<std::size_t>(ours.model->config().vocab);
    for (std::size_t i = 0; i < requests.size(); ++i) {
      CAPTURE(i);
      const std::vector<std::int32_t>& tokens = actual[i].tokens;
      REQUIRE(tokens.size() == 16);
      auto ids = requests[i].prompt;
      ids.insert(ids.end(), tokens.begin(), tokens.end());
      const auto rows = reference.logits_of(ids, requests[i].adapter);
      bool together = true;  // one token that is not sure, and the processor may go on another way
      for (std::size_t t = 0; t < tokens.size(); ++t) {
        CAPTURE(t);
        std::vector<float> row(vocab);
        std::copy_n(rows.begin() + static_cast<std::ptrdiff_t>((requests[i].prompt.size() + t - 1) * vocab), vocab, row.begin());
        const float chosen = row[static_cast<std::size_t>(tokens[t])];
        std::partial_sort(row.begin(), row.begin() + 2, row.end(), std::greater<>());
        CHECK(row[0] - chosen <= tolerance);  // measured 0: the same tokens
        const bool is_sure = row[0] - row[1] > tolerance;
        together = together && (is_sure || tokens[t] == expected[i].tokens[t]);
        if (together) CHECK(tokens[t] == expected[i].tokens[t]);
        sure += together && is_sure;
        all += 1;
      }
    }
  }
  CHECK(sure * 10 >= all * 8);  // measured 239 of 256
}

TEST_CASE("cuda: answers do not depend on those beside them") {
  if (cuda_backend() == nullptr) return;
  const Tuned ours("tiny-llama", card());
  const std::vector<GenerateRequest> requests = requests_of(ours.model->config(), {1, 7, 20}, 4);
  const auto together = ours.answers(requests);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    CAPTURE(i);
    CHECK(together[i].tokens.size() == 4);
    CHECK(ours.answers({requests[i]})[0].tokens == together[i].tokens);
  }
}

}  // namespace namesake::test

TEST_SUITE_END();
