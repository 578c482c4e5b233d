// Generator on the tiny models: every answer is a function of its own request.
#include "namesake/generator.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <numeric>
#include <thread>

#include "engine/arena.h"
#include "engine/decode_graph.h"
#include "engine/generator_fixture.h"
#include "namesake/trainer.h"

namespace namesake::test {

namespace {

double relative_l2(const std::vector<float>& actual, const std::vector<float>& expected) {
  REQUIRE(actual.size() == expected.size());
  double error = 0, norm = 0;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    error += std::pow(double(actual[i]) - double(expected[i]), 2);
    norm += double(expected[i]) * double(expected[i]);
  }
  return std::sqrt(error / norm);
}

Code code_of(Generator& generator, const GenerateRequest& request) {
  const auto made = generator.run({request}, {}, nullptr);
  return made.ok() ? Code::ok : made.status().code;
}

}  // namespace

TEST_CASE("logits of a prompt, of one token at a time and of the training graph agree") {
  const auto agree = [](const std::shared_ptr<Model>& model, const std::shared_ptr<Adapter>& adapter) {
    Random random("logits");
    const auto ids = random_ids(random, *model, 33);
    for (const Adapter* used : {static_cast<const Adapter*>(nullptr), static_cast<const Adapter*>(adapter.get())}) {
      const auto expected = logits(*model, used, ids);
      REQUIRE(expected.ok());
      KvCache cache(model->backend(), model->config());
      Arena arena(model->shared_backend());
      const std::size_t work_bytes = Arena::padded(DecodeGraph::bytes(model->config(), 33, 33, 4)),
                        cache_bytes = Arena::padded(KvCache::bytes(model->config(), 2, 40));
      float *work_memory = nullptr, *cache_memory = nullptr;
      REQUIRE(arena.reserve(work_bytes + cache_bytes, "a test").ok());
      REQUIRE(arena.take(work_memory, work_bytes, "work").ok());
      REQUIRE(arena.take(cache_memory, cache_bytes, "cache").ok());
      cache.place(cache_memory, 2, 40);
      DecodeRows all;
      for (std::int64_t i = 0; i < 33; ++i) all.add(ids[std::size_t(i)], 1, i, used != nullptr);
      all.wanted.resize(33);
      std::iota(all.wanted.begin(), all.wanted.end(), 0);
      struct Logits {
        std::vector<float> prompt, one_by_one;
      };
      const auto compute = [&](Phase tokens) {
        DecodeGraph graph(*model, tokens);
        graph.place(work_memory, 33, 33, 4);
        Logits got;
        REQUIRE(graph.forward(all, used, cache, DecodeGraph::Part::prompt, got.prompt).ok());
        for (std::int64_t i = 0; i < 33; ++i) {
          DecodeRows one;
          one.add(ids[std::size_t(i)], 0, i, used != nullptr);
          one.wanted = {0};
          std::vector<float> row;
          REQUIRE(graph.forward(one, used, cache, DecodeGraph::Part::answer, row).ok());
          got.one_by_one.insert(got.one_by_one.end(), row.begin(), row.end());
        }
        return got;
      };
      const Logits by_dots = compute(Phase::decode), by_products = compute(Phase::prefill);
      const bool rounded = rounds_products(model->backend()) && model->weights().layers[0].o.type != BlockType::f32;
      // Measured in bf16: 2.5e-3, the head alone; 4.9e-2, every product in every layer under an adapter that is large on purpose.
      CHECK(relative_l2(by_dots.prompt, expected.value()) < (rounded ? 1e-2 : 1e-5));
      CHECK(relative_l2(by_dots.one_by_one, expected.value()) < (rounded ? 1e-1 : 1e-5));
      CHECK(relative_l2(by_products.prompt, expected.value()) < (rounded ? 1e-2 : 1e-5));
      CHECK(by_products.one_by_one == by_products.prompt);
    }
  };
  on_every_model(agree, kEveryFamily);
  on_every_model(agree, kEveryFamily, Precision::f32);
}

TEST_CASE("a greedy answer does not depend on batch mates, slots or shared prefixes") {
  on_every_model([](const std::shared_ptr<Model>& model, const std::shared_ptr<Adapter>& adapter) {
    const auto requests = mixed_requests(*model);
    for (Asked asked : {Asked::alone, Asked::together}) {
      CAPTURE(int(asked));
      std::vector<GenerateResult> alone;
      for (const GenerateRequest& request : requests) alone.push_back(answers(model, adapter, {request}, 1, asked)[0]);
      for (std::int64_t slots : {1, 2, 5, 32}) {
        CAPTURE(slots);
        check_same(answers(model, adapter, requests, slots, asked), alone);
      }
    }
  });
}

TEST_CASE("a token that is asked for together is the first one behind the same words as a prompt") {
  bool rounded = false, differ = false;
  on_every_model([&](const std::shared_ptr<Model>& model, const std::shared_ptr<Adapter>& adapter) {
    const auto requests = mixed_requests(*model);
    const auto together = answers(model, adapter, requests, 8, Asked::together);
    std::vector<GenerateRequest> prompts;
    std::vector<GenerateResult> tokens;
    for (std::size_t i = 0; i < requests.size(); ++i) {
      GenerateRequest request = requests[i];
      request.max_tokens = 1;
      for (const std::int32_t token : together[i].tokens) {
        prompts.push_back(request);
        tokens.push_back({{token}, StopReason::length});
        request.prompt.push_back(token);
      }
    }
    check_same(answers(model, adapter, prompts, 8, Asked::together), tokens);
    // Where products round, dot products straight from the blocks are told from them by some answer.
    if (!rounds_products(model->backend())) return;
    rounded = true;
    const auto alone = answers(model, adapter, requests, 8, Asked::alone);
    for (std::size_t i = 0; i < requests.size(); ++i) differ |= alone[i].tokens != together[i].tokens;
  });
  CHECK(differ == rounded);
}

TEST_CASE("the adapter is on or off per sequence, as in runs of their own") {
  on_every_model([](const std::shared_ptr<Model>& model, const std::shared_ptr<Adapter>& adapter) {
    auto requests = mixed_requests(*model);
    auto base = requests, tuned = requests, both = requests;
    for (auto& request : base) request.adapter = false;
    for (auto& request : tuned) request.adapter = true;
    const auto before = answers(model, nullptr, tuned, 4), after = answers(model, adapter, tuned, 4);
    check_same(answers(model, adapter, base, 4), before);
    bool differ = false;
    for (std::size_t i = 0; i < before.size(); ++i) differ |= before[i].tokens != after[i].tokens;
    CHECK(differ);

    both = base;
    both.insert(both.end(), tuned.begin(), tuned.end());
    auto expected = before;
    expected.insert(expected.end(), after.begin(), after.end());
    check_same(answers(model, adapter, both, 7), expected);

    auto generator = Generator::create(model, nullptr, 4).take();
    check_same(generator->run(tuned, {}, nullptr).take(), before);
    generator->set_adapter(adapter);
    check_same(generator->run(tuned, {}, nullptr).take(), after);
    generator->set_adapter(nullptr);
    check_same(generator->run(tuned, {}, nullptr).take(), before);
  });
}

TEST_CASE("greedy answers are the largest logits of the training graph, token by token") {
  on_every_model([](const std::shared_ptr<Model>& model, const std::shared_ptr<Adapter>& adapter) {
    Random random("greedy");
    GenerateRequest request;
    request.prompt = random_ids(random, *model, 9);
    request.max_tokens = 12;
    for (Asked asked : {Asked::alone, Asked::together}) {
      const auto answer = answers(model, adapter, {request}, 1, asked)[0];
      CHECK(answer.reason == StopReason::length);
      REQUIRE(answer.tokens.size() == 12);
      auto ids = request.prompt;
      ids.insert(ids.end(), answer.tokens.begin(), answer.tokens.end());
      const auto all = logits(*model, adapter.get(), ids).take();
      const std::int64_t V = model->config().vocab;
      for (std::size_t i = 0; i < 12; ++i) {
        const float* row = all.data() + std::int64_t(request.prompt.size() + i - 1) * V;
        // Within rounding: a tie of two logits may fall either way.
        CHECK(row[answer.tokens[i]] >= *std::max_element(row, row + V) - 1e-4f);
      }
    }
  }, kEveryFamily, Precision::f32);
}

TEST_CASE("a stop token ends an answer and is not part of it") {
  on_every_model([](const std::shared_ptr<Model>& model, const std::shared_ptr<Adapter>& adapter) {
    Random random("stop");
    GenerateRequest request;
    request.prompt = random_ids(random, *model, 6);
    request.max_tokens = 12;
    const auto whole = answers(model, adapter, {request}, 1)[0].tokens;
    for (std::size_t at : {std::size_t{0}, std::size_t{5}, std::size_t{11}}) {
      request.stop = {whole[at]};
      const auto end = std::find(whole.begin(), whole.end(), whole[at]);
      const auto answer = answers(model, adapter, {request}, 1)[0];
      CHECK(answer.tokens == std::vector<std::int32_t>(whole.begin(), end));
      CHECK(answer.reason == StopReason::stop);
    }
  });
}

TEST_CASE("tokens are reported as they come, and times count what was computed") {
  const auto model = open("tiny-llama", make_reference_backend());
  const auto requests = mixed_requests(*model);
  auto generator = Generator::create(model, random_adapter(*model), 3).take();
  std::vector<std::vector<std::int32_t>> heard(requests.size());
  const auto results = generator->run(requests, [&](std::size_t i, std::int32_t token) { heard[i].push_back(token); }, nullptr).take();
  std::int64_t tokens = 0, prompt_tokens = 0;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    CHECK(heard[i] == results[i].tokens);
    tokens += std::int64_t(results[i].tokens.size());
    prompt_tokens += std::int64_t(requests[i].prompt.size()) - 5;
  }
  CHECK(generator->times().tokens == tokens);
  CHECK(generator->times().prompt_tokens == prompt_tokens + 2 * 5);  // the prefix of five, once with and once without adapter
  CHECK(generator->times().prefill_seconds > 0);
  CHECK(generator->times().decode_seconds > 0);
}

TEST_CASE("while others speak, prompts wait until a quarter of the slots is free or there is room for all of them") {
  const auto model = open("tiny-llama", make_reference_backend());
  Random random("waiting");
  std::vector<GenerateRequest> requests(11);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    requests[i].prompt = random_ids(random, *model, 3);
    requests[i].max_tokens = static_cast<std::int64_t>(i < 8 ? i + 2 : 20);
  }
  auto generator = Generator::create(model, nullptr, 8).take();
  std::vector<std::size_t> order;
  REQUIRE(generator->run(requests, [&](std::size_t i, std::int32_t) { order.push_back(i); }, nullptr).ok());
  const auto first = [&](std::size_t i) { return std::find(order.begin(), order.end(), i); };
  const auto last = [&](std::size_t i) { return std::find(order.rbegin(), order.rend(), i).base() - 1; };
  // The first answer ends a token before the second: then there are two free slots, a quarter of the eight.
  CHECK(first(8) > last(1));
  CHECK(first(8) < last(2));
  CHECK(first(9) == first(8) + 1);
  // The last prompt waits for nobody.
  CHECK(first(10) > last(2));
  CHECK(first(10) < last(3));
}

TEST_CASE("prompts that are equal, that start another, or of one token, and answers of no tokens") {
  const auto model = open("tiny-llama", make_reference_backend());
  Random random("edges");
  GenerateRequest equal, start, single, none;
  equal.prompt = random_ids(random, *model, 70);
  equal.max_tokens = 3;
  start = equal;
  start.prompt.resize(3);
  single.prompt = {4};
  single.max_tokens = 3;
  none.prompt = {4};
  const auto one_equal = answers(model, nullptr, {equal}, 1)[0], one_single = answers(model, nullptr, {single}, 1)[0];
  check_same(answers(model, nullptr, {equal, equal, equal}, 2), {one_equal, one_equal, one_equal});
  const auto one_start = answers(model, nullptr, {start}, 1)[0];
  check_same(answers(model, nullptr, {equal, start, equal}, 3), {one_equal, one_start, one_equal});
  check_same(answers(model, nullptr, {single, none, equal, single}, 2),
             {one_single, GenerateResult{{}, StopReason::length}, one_equal, one_single});
  check_same(answers(model, nullptr, {none}, 2), {GenerateResult{{}, StopReason::length}});
  CHECK(answers(model, nullptr, {}, 2).empty());
}

TEST_CASE("a long prompt that two chunks share has the answer that it has alone") {
  const auto model = open("tiny-llama", make_reference_backend());
  Random random("long");
  const std::int64_t length = model->config().context - 4;
  GenerateRequest request, other;
  request.prompt = random_ids(random, *model, length);
  request.max_tokens = 4;
  other.prompt = request.prompt;
  other.prompt.front() ^= 1;  // nothing in common: 508 rows each, in chunks of 512
  other.max_tokens = 4;
  const auto alone = answers(model, nullptr, {request}, 1)[0];
  CHECK(alone.tokens.size() == 4);
  check_same(answers(model, nullptr, {request, other}, 2), {alone, answers(model, nullptr, {other}, 1)[0]});
}

TEST_CASE("requests that cannot be met are refused with their code, before anything is computed") {
  const auto model = open("tiny-llama", make_reference_backend());
  auto generator = Generator::create(model, nullptr, 2).take();
  GenerateRequest good;
  good.prompt = {1, 2, 3};
  good.max_tokens = 2;
  CHECK(code_of(*generator, good) == Code::ok);

  GenerateRequest request = good;
  request.max_tokens = model->config().context - 3;
  CHECK(code_of(*generator, request) == Code::ok);
  ++request.max_tokens;
  CHECK(code_of(*generator, request) == Code::context_overflow);
  request.max_tokens = std::numeric_limits<std::int64_t>::max();
  CHECK(code_of(*generator, request) == Code::context_overflow);
  for (std::int32_t id : {-1, std::int32_t(model->config().vocab)}) {
    request = good;
    request.prompt[1] = id;
    CHECK(code_of(*generator, request) == Code::rows_invalid);
  }
  request = good;
  request.prompt.clear();
  CHECK(code_of(*generator, request) == Code::rows_invalid);
  request = good;
  request.max_tokens = -1;
  CHECK(code_of(*generator, request) == Code::rows_invalid);
  request = good;
  request.sampling.top_p = 2;
  CHECK(code_of(*generator, request) == Code::rows_invalid);

  bool heard = false;
  CHECK_FALSE(generator->run({good, request}, [&](std::size_t, std::int32_t) { heard = true; }, nullptr).ok());
  CHECK_FALSE(heard);
  CHECK(Generator::create(model, nullptr, 0).status().code == Code::recipe_unsupported);
  CHECK(Generator::create(model, nullptr, 257).status().code == Code::recipe_unsupported);
}

TEST_CASE("an adapter that is not finite is refused, and the base model still answers") {
  const auto model = open("tiny-llama", make_reference_backend());
  const auto adapter = random_adapter(*model);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  REQUIRE(model->backend().upload(adapter->trainables()[1].value, &nan, sizeof nan).ok());
  auto generator = Generator::create(model, adapter, 2).take();
  GenerateRequest request;
  request.prompt = {1, 2, 3};
  request.max_tokens = 2;
  CHECK(code_of(*generator, request) == Code::adapter_invalid);
  request.adapter = false;
  CHECK(code_of(*generator, request) == Code::ok);
}

TEST_CASE("cancelling keeps finished answers whole and the others as far as they came") {
  on_every_model([](const std::shared_ptr<Model>& model, const std::shared_ptr<Adapter>& adapter) {
    auto requests = mixed_requests(*model);
    requests[0].max_tokens = 1;
    const auto whole = answers(model, adapter, requests, 3);
    auto generator = Generator::create(model, adapter, 3).take();
    std::size_t total = 0;
    for (const auto& answer : whole) total += answer.tokens.size();
    for (std::size_t stop_after : {std::size_t{0}, std::size_t{1}, std::size_t{9}, total}) {
      CAPTURE(stop_after);
      std::atomic<bool> cancel{stop_after == 0};
      std::size_t heard = 0;
      const auto results = generator->run(requests, [&](std::size_t, std::int32_t) { cancel = ++heard >= stop_after; }, &cancel);
      REQUIRE(results.ok());
      std::size_t finished = 0;
      for (std::size_t i = 0; i < requests.size(); ++i) {
        const auto& [tokens, reason] = results.value()[i];
        REQUIRE(tokens.size() <= whole[i].tokens.size());
        CHECK(std::equal(tokens.begin(), tokens.end(), whole[i].tokens.begin()));
        CHECK((reason == StopReason::cancelled) == (tokens.size() < whole[i].tokens.size()));
        finished += reason != StopReason::cancelled;
      }
      CHECK(finished >= (stop_after == 0 ? 0u : 1u));
      CHECK((finished == requests.size()) == (stop_after == total));
    }
    check_same(generator->run(requests, {}, nullptr).take(), whole);  // and the generator still works
  });
}

TEST_CASE("another thread may cancel while an op is at work") {
  on_every_model([](const std::shared_ptr<Model>& model, const std::shared_ptr<Adapter>& adapter) {
    const auto requests = mixed_requests(*model);
    const auto whole = answers(model, adapter, requests, 3);
    auto generator = Generator::create(model, adapter, 3).take();
    std::atomic<bool> heard{false}, cancel{false};
    std::thread other([&] {
      while (!heard) std::this_thread::yield();
      cancel = true;
    });
    const auto results = generator->run(requests, [&](std::size_t, std::int32_t) { heard = true; }, &cancel);
    heard = true;
    other.join();
    REQUIRE(results.ok());
    for (std::size_t i = 0; i < requests.size(); ++i) {
      const auto& [tokens, reason] = results.value()[i];
      REQUIRE(tokens.size() <= whole[i].tokens.size());
      CHECK(std::equal(tokens.begin(), tokens.end(), whole[i].tokens.begin()));
      CHECK((reason == StopReason::cancelled) == (tokens.size() < whole[i].tokens.size()));
    }
    check_same(generator->run(requests, {}, nullptr).take(), whole);
  });
}

TEST_CASE("a sampled answer is a function of its seed, whatever stands beside it") {
  on_every_model([](const std::shared_ptr<Model>& model, const std::shared_ptr<Adapter>& adapter) {
    auto requests = mixed_requests(*model);
    for (std::size_t i = 0; i < requests.size(); ++i) {
      requests[i].sampling = {1.0f, 40, 0.95f, 0.01f, 1.1f, 1000 + i};
      requests[i].max_tokens = 10;
    }
    const auto together = answers(model, adapter, requests, 4);
    check_same(answers(model, adapter, requests, 3), together);
    for (std::size_t i : {std::size_t{0}, std::size_t{3}}) {
      check_same(answers(model, adapter, {requests[i]}, 1), {together[i]});
      auto other = requests[i];
      other.sampling.seed = 5;
      CHECK(answers(model, adapter, {other}, 1)[0].tokens != together[i].tokens);
    }
  });
}

}  // namespace namesake::test
