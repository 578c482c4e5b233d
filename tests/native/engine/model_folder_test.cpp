// Model::open on a folder in Hugging Face layout: the same model as its GGUF twin, and everything that is refused.
#include <cmath>

#include "engine/folder_twin.h"
#include "engine/golden.h"
#include "namesake/memory.h"

namespace namesake::test {

namespace {

std::shared_ptr<Model> open_folder(const FolderTwin& twin, std::shared_ptr<Backend> backend, Precision precision = Precision::as_stored) {
  const TemporaryFolder folder;
  twin.write(folder);
  return must(Model::open(folder.path(), precision, std::move(backend)));
}

/// Logits of every row of the golden batch, padded positions left out.
std::vector<float> all_logits(Model& model, const Adapter* adapter, const Golden& golden) {
  std::vector<float> all;
  for (std::size_t row = 0; row < golden.batch.ids.size(); ++row) {
    const std::vector<float> values = must(logits(model, adapter, pack_row(golden.batch, row).ids));
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

std::vector<float> golden_logits(const Golden& golden, const std::string& key, std::int64_t vocab) {
  const std::vector<float>& padded = golden.tensors.at(key);
  const std::size_t T = golden.batch.ids[0].size(), V = static_cast<std::size_t>(vocab);
  std::vector<float> all;
  for (std::size_t row = 0; row < golden.batch.ids.size(); ++row) {
    const auto from = padded.begin() + static_cast<std::ptrdiff_t>(row * T * V);
    all.insert(all.end(), from, from + static_cast<std::ptrdiff_t>(pack_row(golden.batch, row).ids.size() * V));
  }
  return all;
}

/// Logits, gradients and ten steps of training against tests/fixtures/golden/NAME.
void check_golden(const std::shared_ptr<Model>& model, const std::string& name, const Golden& golden) {
  const auto adapter = golden_adapter(name, *model);
  const std::int64_t V = model->config().vocab;
  // In bf16 measured 5.1e-3, 1.3e-2, 6.4e-2 (see parity_test).
  const bool rounded = rounds_products(*model);
  const double logits_within = rounded ? 3e-2 : 1e-5, gradients_within = rounded ? 1e-1 : 1e-4, losses_within = rounded ? 1e-1 : 1e-4;
  CHECK(relative_l2(all_logits(*model, nullptr, golden), golden_logits(golden, "logits_base", V)) <= logits_within);  // measured 7.7e-7
  CHECK(relative_l2(all_logits(*model, adapter.get(), golden), golden_logits(golden, "logits", V)) <= logits_within);  // measured 1.3e-6
  const Gradients ours = must(gradients(*model, *adapter, std::vector<Batch>{pack(golden.batch)}));
  for (const auto& [key, values] : ours.tensors) {
    CAPTURE(key);
    CHECK(relative_l2(values, golden.tensors.at("grad." + key)) <= gradients_within);  // measured 1.3e-5
  }
  const auto trainer = must(Trainer::create(model, golden_adapter(name, *model), golden_options()));
  for (std::size_t s = 0; s < golden.batches.size(); ++s) {
    CAPTURE(s);
    const StepResult result = must(trainer->step(std::vector<Batch>{pack(golden.batches[s])}));
    CHECK(std::fabs(result.loss - golden.tensors.at("losses")[s]) <= losses_within);  // measured 2.9e-6
  }
}

Code after(const std::function<void(FolderTwin&)>& change, std::string* message = nullptr) {
  FolderTwin twin = folder_twin("tiny-llama-tied");
  change(twin);
  const TemporaryFolder folder;
  twin.write(folder);
  const Status status = Model::open(folder.path(), Precision::as_stored, make_reference_backend()).status();
  CHECK(status.ok() == status.message.empty());
  if (message != nullptr) *message = status.message;
  // What plans memory says the same of the folder as what opens it.
  CHECK(shape_of_file(folder.path(), Precision::as_stored).status().code == status.code);
  return status.code;
}

}  // namespace

TEST_CASE("a folder computes what its GGUF twin and torch compute") {
  for (const std::string& name : kTinyModels) {
    const Golden golden = read_golden(name);
    const FolderTwin twin = folder_twin(name);
    on_each_backend([&](std::shared_ptr<Backend> backend) {
      CAPTURE(name);
      const auto model = open_folder(twin, backend), gguf = open_model(name, backend, Precision::f32);
      CHECK_FALSE(model->config().rope_adjacent);
      CHECK(model->config().tied == gguf->config().tied);
      CHECK(relative_l2(all_logits(*model, nullptr, golden), all_logits(*gguf, nullptr, golden)) <= (rounds_products(*model) ? 3e-2 : 5e-6));  // measured 5.7e-7
      check_golden(model, name, golden);
    });
  }
}

TEST_CASE("folders of every family compute what the GGUF file of the same weights computes") {
  for (const std::string& name : kFolderModels) {
    if (!std::filesystem::exists(fixture(name + ".gguf"))) continue;
    const Golden golden = read_golden(name);
    on_each_backend([&](std::shared_ptr<Backend> backend) {
      CAPTURE(name);
      const auto model = must(Model::open(fixture(name), Precision::as_stored, backend)), gguf = open_model(name, backend);
      CHECK(relative_l2(all_logits(*model, nullptr, golden), all_logits(*gguf, nullptr, golden)) <= 5e-6);  // measured 5.7e-7
    });
  }
}

TEST_CASE("shards and values at odd addresses change no bit") {
  for (const std::string& name : kTinyModels) {  // the tied one has f32, f16 and bf16
    const Golden golden = read_golden(name);
    FolderTwin twin = folder_twin(name);
    on_each_backend([&](std::shared_ptr<Backend> backend) {
      CAPTURE(name);
      twin.shards = 1;
      twin.padding = 0;
      for (Precision precision : {Precision::as_stored, Precision::f32, Precision::bf16}) {
        const std::vector<float> expected = all_logits(*open_folder(twin, backend, precision), nullptr, golden);
        for (std::size_t padding : {1, 2, 4}) {
          CAPTURE(padding);
          FolderTwin odd = twin;
          odd.shards = 3;
          odd.padding = padding;
          CHECK(all_logits(*open_folder(odd, backend, precision), nullptr, golden) == expected);
        }
      }
    });
  }
}

TEST_CASE("a head beside tied embeddings: the same values are one, others count, as in transformers 5") {
  FolderTwin twin = folder_twin("tiny-llama-tied");
  TwinTensor head = twin.tensors.at("model.embed_tokens.weight");
  twin.tensors["lm_head.weight"] = head;
  const auto tied = open_folder(twin, make_reference_backend());
  CHECK(tied->config().tied);
  CHECK(tied->weights().head.data == tied->weights().embedding.data);
  head.bytes[head.bytes.size() - 1] = static_cast<char>(head.bytes.back() ^ 0x40);
  twin.tensors["lm_head.weight"] = head;
  const auto apart = open_folder(twin, make_reference_backend());
  CHECK_FALSE(apart->config().tied);
  CHECK(apart->weights().head.data != apart->weights().embedding.data);
}

TEST_CASE("a folder's tensors must be those that its config asks for") {
  CHECK(after([](FolderTwin&) {}) == Code::ok);
  std::string message;
  for (const auto& [key, tensor] : folder_twin("tiny-llama-tied").tensors) {
    const std::string name = key;
    CAPTURE(name);
    CHECK(after([&](FolderTwin& t) { t.tensors.erase(name); }, &message) == Code::model_missing_tensor);
    CHECK(message.find(name) != std::string::npos);
    CHECK(after([&](FolderTwin& t) { t.tensors[name].shape.push_back(1); }, &message) ==
          Code::model_invalid);
    CHECK(message.find(name) != std::string::npos);
  }
  CHECK(after([](FolderTwin& t) { t.config["tie_word_embeddings"] = "false"; }, &message) == Code::model_missing_tensor);
  CHECK(message.find("lm_head.weight") != std::string::npos);
  CHECK(after([](FolderTwin& t) { t.config["vocab_size"] = "300"; }) == Code::model_invalid);
  CHECK(after([](FolderTwin& t) { t.config["num_hidden_layers"] = "4"; }) == Code::model_missing_tensor);
  CHECK(after([](FolderTwin& t) { t.config["num_hidden_layers"] = "2"; }) == Code::model_unknown_architecture);
  CHECK(after([](FolderTwin& t) { t.config["model_type"] = "\"gpt_neox\""; }) == Code::model_unknown_architecture);
  const TwinTensor vector{"F32", {2}, std::string(8, '\0')};
  for (const char* name : {"model.layers.0.self_attn.q_proj.bias", "model.layers.0.self_attn.q_norm.weight", "score.weight"}) {
    CHECK(after([&](FolderTwin& t) { t.tensors[name] = vector; }, &message) == Code::model_unknown_architecture);
    CHECK(message.find(name) != std::string::npos);
  }
  // Frequencies that old releases stored follow from the config.
  CHECK(after([&](FolderTwin& t) { t.tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = vector; }) == Code::ok);
}

TEST_CASE("a folder that is no model, or only half of one") {
  const auto code = [](const TemporaryFolder& folder) {
    return Model::open(folder.path(), Precision::as_stored, make_reference_backend()).status().code;
  };
  const TemporaryFolder empty, no_config;
  CHECK(code(empty) == Code::model_unknown_format);
  folder_twin("tiny-llama").write(no_config);
  CHECK(code(no_config) == Code::ok);
  std::filesystem::remove(no_config / "config.json");
  CHECK(code(no_config) == Code::model_unreadable);
}

TEST_CASE("the plan of a folder counts what it holds beside its files") {
  const TemporaryFolder folder;
  FolderTwin twin = folder_twin("tiny-llama-tied");
  twin.shards = 2;
  twin.write(folder);
  const ModelShape shape = must(shape_of_file(folder.path(), Precision::as_stored));
  std::uint64_t bytes = 0;
  for (const char* name : {"model-0.safetensors", "model-1.safetensors"}) bytes += std::filesystem::file_size(folder / name);
  CHECK(shape.file_bytes == bytes);
  CHECK(shape.config.hidden == 42);
  CHECK(must(shape_of_file(folder.path(), Precision::f32)).resident > shape.resident);
}

}  // namespace namesake::test
