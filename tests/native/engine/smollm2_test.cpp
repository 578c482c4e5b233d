// Parity on the real default model, where NAMESAKE_MODEL names its GGUF file: logits of transformers and twenty steps of peft
// on the same dequantised weights (tests/fixtures/README.md).
#include <cmath>
#include <cstdlib>
#include <iostream>

#include "engine/golden.h"
#include "yyjson.h"

namespace namesake::test {

namespace {

/// The formula adapter of tests/fixtures/formula_adapter.mjs: A from MurmurHash3's finaliser, B zero.
std::shared_ptr<Adapter> formula_adapter(const Model& model) {
  const auto adapter = must(Adapter::create(model, 16, 32, 0, true));
  for (std::size_t i = 0; i < adapter->trainables().size(); i += 2) {
    const Trainable& t = adapter->trainables()[i];
    std::vector<float> a(static_cast<std::size_t>(t.rows * t.cols));
    for (std::size_t index = 0; index < a.size(); ++index) {
      std::uint32_t x = static_cast<std::uint32_t>(i / 2) * 0x9e3779b9u + static_cast<std::uint32_t>(index);
      x = (x ^ (x >> 16)) * 0x85ebca6bu;
      x = (x ^ (x >> 13)) * 0xc2b2ae35u;
      x ^= x >> 16;
      a[index] = static_cast<float>((x / 2147483648.0 - 1) / std::sqrt(double(t.cols)));
    }
    must(model.backend().upload(t.value, a.data(), a.size() * sizeof(float)));
  }
  return adapter;
}

constexpr std::size_t kSteps = 20;

/// The training of tests/fixtures/golden/smollm2-135m on a model, a batch a step.
class Training {
 public:
  explicit Training(std::shared_ptr<Model> model) : batches_(read_batches(fixture("golden/smollm2-135m/train.json"))) {
    REQUIRE(batches_.size() == kSteps);
    TrainerOptions options;
    options.warmup_steps = 4;
    options.steps = static_cast<std::int64_t>(kSteps);
    const auto adapter = formula_adapter(*model);
    trainer_ = must(Trainer::create(std::move(model), adapter, options));
  }
  StepResult step(std::size_t s) { return must(trainer_->step(std::vector<Batch>{pack(batches_[s])})); }

 private:
  std::vector<PaddedBatch> batches_;
  std::unique_ptr<Trainer> trainer_;
};

std::vector<double> numbers(const std::string& json, const char* key) {
  const std::unique_ptr<yyjson_doc, decltype(&yyjson_doc_free)> document(yyjson_read(json.data(), json.size(), 0), &yyjson_doc_free);
  yyjson_val* array = yyjson_obj_get(yyjson_doc_get_root(document.get()), key);
  std::vector<double> out;
  for (std::size_t i = 0; i < yyjson_arr_size(array); ++i) out.push_back(yyjson_get_num(yyjson_arr_get(array, i)));
  return out;
}

}  // namespace

TEST_CASE("SmolLM2-135M: logits are those of transformers, twenty steps those of peft") {
  const char* path = std::getenv("NAMESAKE_MODEL");
  if (!path) {
    std::cout << "skipped: SmolLM2-135M parity: NAMESAKE_MODEL is not set\n";
    return;
  }
  const std::string folder = fixture("golden/smollm2-135m/");
  const std::shared_ptr<Backend> backend = must(make_cpu_backend("auto", 0));
  const auto model = must(Model::open(path, Precision::f32, backend));

  const Golden golden = read_tensors_of(folder + "logits.safetensors");
  const std::vector<float>& last = golden.tensors.at("logits");
  const std::vector<float>& ids = golden.tensors.at("input_ids");
  const std::vector<float> all = must(logits(*model, nullptr, std::vector<std::int32_t>(ids.begin(), ids.end())));
  CHECK(relative_l2({all.end() - static_cast<std::ptrdiff_t>(last.size()), all.end()}, last) <= 1e-4);  // measured 3e-6

  const std::string expected = read_text(folder + "train_expected.json");
  const std::vector<double> losses = numbers(expected, "losses"), norms = numbers(expected, "grad_norms"), lrs = numbers(expected, "lrs");
  REQUIRE(losses.size() == kSteps);
  Training training(model);
  for (std::size_t s = 0; s < kSteps; ++s) {
    CAPTURE(s);
    const StepResult result = training.step(s);
    CHECK(std::fabs(result.loss - losses[s]) <= 5e-4);                  // measured 3e-5
    CHECK(std::fabs(result.grad_norm - norms[s]) <= 2e-3 * norms[s]);   // measured 1e-4
    CHECK(result.lr == doctest::Approx(lrs[s]).epsilon(1e-6));
  }
}

TEST_CASE("SmolLM2-135M: products in bf16 leave twenty losses within a hundredth of f32's") {
  const char* path = std::getenv("NAMESAKE_MODEL");
  auto rounding = make_cpu_backend("avx512bf16", 0);
  if (!path || !rounding.ok()) {
    std::cout << "skipped: SmolLM2-135M in bf16: " << (path ? rounding.status().message : "NAMESAKE_MODEL is not set") << "\n";
    return;
  }
  const std::shared_ptr<Backend> exact = must(make_cpu_backend("avx512", 0));
  Training bf16(must(Model::open(path, Precision::as_stored, rounding.take()))), f32(must(Model::open(path, Precision::as_stored, exact)));
  for (std::size_t s = 0; s < kSteps; ++s) {
    CAPTURE(s);
    const StepResult ours = bf16.step(s), theirs = f32.step(s);
    CHECK(std::fabs(ours.loss - theirs.loss) <= 1e-2);                            // measured 9.0e-3, 3.0e-3 on average
    CHECK(ours.grad_norm == doctest::Approx(theirs.grad_norm).epsilon(5e-2));  // measured 2.2e-2
  }
}

}  // namespace namesake::test
