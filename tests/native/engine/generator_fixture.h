// What tests of a generator start from: the tiny models on every backend, requests, and answers to compare.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backend/amx/tile_backends.h"
#include "backend/fixture.h"
#include "namesake/generator.h"

namespace namesake::test {

inline const std::vector<std::string> kTwoModels = {"tiny-llama", "tiny-llama-tied"};
inline const std::vector<std::string> kEveryFamily = {"tiny-llama", "tiny-llama-tied", "tiny-llama3", "tiny-qwen2", "tiny-qwen3", "tiny-internlm2"};

inline std::shared_ptr<Model> open(const std::string& name, std::shared_ptr<Backend> backend, Precision precision = Precision::as_stored) {
  auto model = Model::open(NAMESAKE_FIXTURES "/" + name + ".gguf", precision, std::move(backend));
  REQUIRE_MESSAGE(model.ok(), model.status().message);
  return model.take();
}

/// An adapter that changes what the model says: both factors are random.
inline std::shared_ptr<Adapter> random_adapter(const Model& model) {
  auto made = Adapter::create(model, 4, 8, 3, false);
  REQUIRE(made.ok());
  Random random("adapter");
  for (Trainable& t : made.value()->trainables()) {
    const auto values = random.normals(t.rows * t.cols, 0.3f);
    REQUIRE(model.backend().upload(t.value, values.data(), values.size() * sizeof(float)).ok());
  }
  return made.take();
}

inline std::vector<std::shared_ptr<Backend>> backends() {
  std::vector<std::shared_ptr<Backend>> all{make_reference_backend()};
  for (const Subject& subject : subjects()) all.push_back(subject.by_threads[1]);
  return all;
}

/// Whether a backend's products round to bf16 what its decoding does not.
inline bool rounds_products(const Backend& backend) { return test::rounds_products(backend.isa()); }

/// Runs check(model, adapter) on each of the tiny models and backends; models have precision `rounded` where products round.
inline void on_every_model(const std::function<void(const std::shared_ptr<Model>&, const std::shared_ptr<Adapter>&)>& check,
                    const std::vector<std::string>& names = kTwoModels, Precision rounded = Precision::as_stored) {
  for (const std::string& name : names) {
    for (const auto& backend : backends()) {
      INFO("again: ", rerun_command(backend->isa()));
      INFO(name, " on ", backend->name(), "/", backend->isa());
      const auto model = open(name, backend, rounds_products(*backend) ? rounded : Precision::as_stored);
      check(model, random_adapter(*model));
    }
  }
}

inline std::vector<std::int32_t> random_ids(Random& random, const Model& model, std::int64_t n) {
  std::vector<std::int32_t> ids;
  while (static_cast<std::int64_t>(ids.size()) < n) ids.push_back(std::int32_t(random.integer(0, model.config().vocab)));
  return ids;
}

/// Requests of many lengths, adapter on and off, that share the first five tokens.
inline std::vector<GenerateRequest> mixed_requests(const Model& model) {
  Random random("requests");
  const auto shared = random_ids(random, model, 5);
  std::vector<GenerateRequest> requests;
  for (std::int64_t length : {1, 30, 2, 61, 60, 17, 59, 55, 4, 3, 62, 58, 57, 56, 40}) {
    GenerateRequest request;
    request.prompt = shared;
    const auto own = random_ids(random, model, length);
    request.prompt.insert(request.prompt.end(), own.begin(), own.end());
    request.max_tokens = random.integer(1, 14);
    request.adapter = random.integer(0, 2) == 1;
    requests.push_back(request);
  }
  return requests;
}

inline std::vector<GenerateResult> answers(const std::shared_ptr<Model>& model, const std::shared_ptr<Adapter>& adapter,
                                    const std::vector<GenerateRequest>& requests, std::int64_t slots, Asked asked = Asked::alone) {
  auto generator = Generator::create(model, adapter, slots, asked);
  REQUIRE(generator.ok());
  auto results = generator.value()->run(requests, {}, nullptr);
  REQUIRE_MESSAGE(results.ok(), results.status().message);
  REQUIRE(results.value().size() == requests.size());
  return results.take();
}

inline void check_same(const std::vector<GenerateResult>& actual, const std::vector<GenerateResult>& expected) {
  REQUIRE(actual.size() == expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i) {
    CAPTURE(i);
    CHECK(actual[i].tokens == expected[i].tokens);
    CHECK(actual[i].reason == expected[i].reason);
  }
}

}  // namespace namesake::test
