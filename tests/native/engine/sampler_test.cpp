// Sampler against a brute-force reading of the filters.
#include "engine/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "backend/fixture.h"

namespace namesake::test {

namespace {

/// Probabilities of every token after the filters, by sorting the whole vocabulary.
std::vector<double> brute_force(std::vector<float> logits, const Sampling& s, const std::vector<std::int32_t>& seen) {
  const std::size_t V = logits.size();
  std::vector<double> x(logits.begin(), logits.end());
  for (std::size_t i = 0; i < V; ++i) {
    if (std::find(seen.begin(), seen.end(), std::int32_t(i)) == seen.end()) continue;
    x[i] = x[i] > 0 ? x[i] / double(s.repetition_penalty) : x[i] * double(s.repetition_penalty);
  }
  for (double& value : x) value /= double(s.temperature);
  std::vector<std::size_t> order(V);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return x[a] > x[b]; });
  const auto softmax = [&] {
    std::vector<double> p(V, 0);
    double sum = 0;
    for (std::size_t i : order) sum += p[i] = std::exp(x[i] - x[order[0]]);
    for (double& value : p) value /= sum;
    return p;
  };
  if (s.top_k > 0) order.resize(std::min(V, std::size_t(s.top_k)));
  const auto p = softmax();
  double before = 0;
  std::vector<std::size_t> nucleus;  // a token stays while the likelier ones have not reached top_p yet
  for (std::size_t i : order) {
    if (nucleus.empty() || s.top_p >= 1 || before < double(s.top_p)) nucleus.push_back(i);
    before += p[i];
  }
  order = nucleus;
  const auto q = softmax();
  std::erase_if(order, [&](std::size_t i) { return q[i] < double(s.min_p) * q[order[0]]; });
  return softmax();
}

std::int32_t sample(const Sampling& sampling, std::vector<float> logits, const std::vector<std::int32_t>& prompt = {}) {
  const auto token = Sampler(sampling, prompt).next(logits);
  REQUIRE(token.has_value());
  return *token;
}

}  // namespace

TEST_CASE("greedy takes the largest logit, and the lowest id among equals") {
  CHECK(sample({}, {0, 3, -1, 3, 2}) == 1);
  CHECK(sample({}, {-5, -4, -4}) == 1);
  CHECK(sample({}, {-INFINITY, -9, -INFINITY}) == 1);
}

TEST_CASE("the repetition penalty divides positive and multiplies negative logits of prompt and answer") {
  Sampling sampling;
  sampling.repetition_penalty = 2;
  CHECK(sample(sampling, {4, 3}, {0}) == 1);
  CHECK(sample(sampling, {-2, -3}, {0, 0}) == 1);  // once, however often it was said
  CHECK(sample(sampling, {-2, -5}, {0}) == 0);
  Sampler sampler(sampling, {});
  std::vector<float> first{4, 3}, second{4, 3};
  CHECK(*sampler.next(first) == 0);
  CHECK(*sampler.next(second) == 1);
}

TEST_CASE("logits that are not numbers give no token") {
  for (const std::vector<float>& bad : {std::vector<float>{1, NAN}, std::vector<float>{NAN, 1},
                                        std::vector<float>{-INFINITY, -INFINITY}, std::vector<float>{0, INFINITY}}) {
    for (float temperature : {0.0f, 1.0f}) {
      Sampling sampling;
      sampling.temperature = temperature;
      std::vector<float> logits = bad;
      CHECK_FALSE(Sampler(sampling, {}).next(logits).has_value());
    }
  }
}

TEST_CASE("sampled tokens are distributed as the filters say") {
  Random random("sampler");
  struct Filters {
    float temperature;
    std::int64_t top_k;
    float top_p, min_p, penalty;
  };
  for (const Filters& f : {Filters{1, 0, 1, 0, 1}, Filters{0.5f, 0, 1, 0, 1}, Filters{1, 3, 1, 0, 1}, Filters{1, 0, 0.6f, 0, 1},
                           Filters{2, 0, 1, 0.3f, 1}, Filters{1, 0, 1, 0, 1.7f}, Filters{1.3f, 9, 0.8f, 0.1f, 1.2f},
                           Filters{1, 100, 0, 0, 1}, Filters{1, 0, 1, 1, 1}}) {
    INFO("temperature=", f.temperature, " top_k=", f.top_k, " top_p=", f.top_p, " min_p=", f.min_p, " penalty=", f.penalty);
    INFO("again: ", rerun_command(""));
    const std::vector<float> logits = random.normals(20, 1.5f);
    const std::vector<std::int32_t> prompt{2, 5, 11, 5};
    Sampling sampling{f.temperature, f.top_k, f.top_p, f.min_p, f.penalty, 0};
    const auto expected = brute_force(logits, sampling, prompt);
    constexpr int n = 4000;
    std::vector<int> counts(logits.size());
    for (int seed = 0; seed < n; ++seed) {
      sampling.seed = run_seed() * 100000 + std::uint64_t(seed);
      ++counts[std::size_t(sample(sampling, logits, prompt))];
    }
    for (std::size_t i = 0; i < logits.size(); ++i) {
      CAPTURE(i);
      const double p = expected[i];
      if (p == 0) CHECK(counts[i] == 0);
      CHECK(std::fabs(counts[i] - n * p) <= 5 * std::sqrt(n * p * (1 - p)) + 1e-6);  // five deviations
    }
  }
}

TEST_CASE("a seed says everything: the same choices again, others for another seed, and fresh ones at each token") {
  const std::vector<float> flat(1000, 0.0f);
  const auto choices = [&](std::uint64_t seed) {
    Sampling sampling;
    sampling.temperature = 1;
    sampling.seed = seed;
    Sampler sampler(sampling, {});
    std::vector<std::int32_t> tokens;
    for (int i = 0; i < 20; ++i) {
      std::vector<float> logits = flat;
      tokens.push_back(*sampler.next(logits));
    }
    return tokens;
  };
  CHECK(choices(5) == choices(5));
  CHECK(choices(5) != choices(6));
  auto distinct = choices(5);
  std::sort(distinct.begin(), distinct.end());
  CHECK(std::unique(distinct.begin(), distinct.end()) - distinct.begin() > 10);
}

TEST_CASE("check_sampling names the field that is out of range") {
  const auto message = [](auto change) {
    Sampling sampling;
    change(sampling);
    const Status status = check_sampling(sampling);
    if (!status.ok()) CHECK(status.code == Code::rows_invalid);
    return status.message;
  };
  CHECK(message([](Sampling&) {}).empty());
  CHECK(message([](Sampling& s) { s.temperature = -1; }).find("temperature") == 0);
  CHECK(message([](Sampling& s) { s.temperature = INFINITY; }).find("temperature") == 0);
  CHECK(message([](Sampling& s) { s.top_k = -1; }).find("top_k") == 0);
  CHECK(message([](Sampling& s) { s.top_p = NAN; }).find("top_p") == 0);
  CHECK(message([](Sampling& s) { s.min_p = 1.5f; }).find("min_p") == 0);
  CHECK(message([](Sampling& s) { s.repetition_penalty = 0; }).find("repetition_penalty") == 0);
}

}  // namespace namesake::test
