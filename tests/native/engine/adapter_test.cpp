// Adapters in PEFT's layout: read, written, refused.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <set>

#include "engine/golden.h"
#include "formats/safetensors.h"
#include "formats/tensor_to_write.h"

namespace namesake::test {

namespace {

const std::string kName = "tiny-llama";

/// A copy of the golden adapter that a test may change.
struct Copy {
  TemporaryFolder folder;
  std::string path = folder / "adapter";
  explicit Copy(const std::string& model = kName) { std::filesystem::copy(fixture("golden/" + model + "/adapter"), path); }

  void replace(const std::string& from, const std::string& to) {
    std::string text = read_text(path + "/adapter_config.json");
    REQUIRE_MESSAGE(text.find(from) != std::string::npos, from);
    write_text(path + "/adapter_config.json", text.replace(text.find(from), from.size(), to));
  }
  void set_config(const std::string& targets) {
    write_text(path + "/adapter_config.json",
               R"({"peft_type":"LORA","task_type":"CAUSAL_LM","r":4,"lora_alpha":8,"bias":"none","target_modules":)" + targets + "}");
  }
  /// Rewrites the tensors after `change`.
  void change_tensors(const std::function<void(SafetensorsFile&)>& change) {
    SafetensorsFile file = must(read_safetensors(path + "/adapter_model.safetensors"));
    change(file);
    std::vector<TensorToWrite> tensors;
    for (const auto& [name, tensor] : file.tensors) tensors.push_back(tensor_to_write(name, tensor.shape, tensor.data.data()));
    must(write_safetensors(path + "/adapter_model.safetensors", tensors, {{"format", "pt"}}));
  }
};

const std::string kKey = "base_model.model.model.layers.1.self_attn.k_proj.lora_B.weight";

}  // namespace

TEST_CASE("what PEFT wrote is written back with the same values, and the same bytes each time") {
  for (const std::string& name : kGgufModels) {
    CAPTURE(name);
    TemporaryFolder folder;
    const auto model = open_model(name, make_reference_backend());
    const auto adapter = golden_adapter(name, *model);
    CHECK(adapter->shape() == LoraShape(4));
    CHECK(adapter->alpha() == 8);
    std::filesystem::create_directory(folder / "a");
    std::filesystem::create_directory(folder / "b");
    must(adapter->save(folder / "a", name));
    const SafetensorsFile theirs = must(read_safetensors(fixture("golden/" + name + "/adapter/adapter_model.safetensors")));
    const SafetensorsFile ours = must(read_safetensors(folder / "a/adapter_model.safetensors"));
    CHECK(ours.metadata == theirs.metadata);
    CHECK(ours.tensors.size() == theirs.tensors.size());
    for (const auto& [key, tensor] : theirs.tensors) {
      CAPTURE(key);
      REQUIRE(ours.tensors.contains(key));
      CHECK(ours.tensors.at(key).shape == tensor.shape);
      CHECK(ours.tensors.at(key).data == tensor.data);
    }
    must(must(Adapter::load(*model, folder / "a", false))->save(folder / "b", name));
    for (const char* file : {"adapter_model.safetensors", "adapter_config.json"}) {
      CHECK(read_text(folder / "a/" + file) == read_text(folder / "b/" + file));
    }
  }
}

TEST_CASE("rows of q and k lora_B are turned between Hugging Face's halves and the file's adjacent pairs") {
  const auto model = open_model(kName, make_reference_backend());
  const auto adapter = golden_adapter(kName, *model);
  const SafetensorsFile file = must(read_safetensors(fixture("golden/" + kName + "/adapter/adapter_model.safetensors")));
  for (const Trainable& t : adapter->trainables()) {
    const std::vector<float>& disk = file.tensors.at(t.name).data;
    const bool turned = t.name.ends_with("q_proj.lora_B.weight") || t.name.ends_with("k_proj.lora_B.weight");
    CAPTURE(t.name);
    CHECK((std::memcmp(disk.data(), t.value, disk.size() * sizeof(float)) != 0) == turned);
    if (!turned) continue;
    // Head size 16: row 2i + j here is row 8j + i there.
    for (std::int64_t row = 0; row < t.rows; ++row) {
      const std::int64_t head = row / 16, i = row % 16 / 2, j = row % 2;
      CHECK(t.value[row * 4] == disk[static_cast<std::size_t>((head * 16 + 8 * j + i) * 4)]);
    }
  }
}

TEST_CASE("families whose rows stand as Hugging Face has them keep the order of the disk, InternLM2's fused rows too") {
  for (const std::string name : {"tiny-qwen2", "tiny-qwen3", "tiny-internlm2"}) {
    const auto model = open_model(name, make_reference_backend());
    const auto adapter = golden_adapter(name, *model);
    const SafetensorsFile file = must(read_safetensors(fixture("golden/" + name + "/adapter/adapter_model.safetensors")));
    REQUIRE(adapter->trainables().size() == (name == "tiny-internlm2" ? 20 : 28));
    for (const Trainable& t : adapter->trainables()) {
      CAPTURE(t.name);
      const std::vector<float>& disk = file.tensors.at(t.name).data;
      CHECK(std::memcmp(disk.data(), t.value, disk.size() * sizeof(float)) == 0);
    }
  }
}

TEST_CASE("an adapter on the modules of another family is refused") {
  const auto fused = open_model("tiny-internlm2", make_reference_backend()), apart = open_model(kName, make_reference_backend());
  CHECK(Adapter::load(*apart, fixture("golden/tiny-internlm2/adapter"), false).status().code == Code::adapter_mismatch);
  CHECK(Adapter::load(*fused, fixture("golden/" + kName + "/adapter"), false).status().code == Code::adapter_mismatch);
}

TEST_CASE("a fresh adapter: B zero, A within Kaiming's bound, its own numbers for each seed and tensor") {
  const auto model = open_model(kName, make_reference_backend());
  const auto a = must(Adapter::create(*model, 16, 32, 7, false)), b = must(Adapter::create(*model, 16, 32, 7, false)),
             c = must(Adapter::create(*model, 16, 32, 8, false));
  CHECK(state_of(*a) == state_of(*b));
  CHECK(state_of(*a) != state_of(*c));
  std::set<float> firsts;
  for (const Trainable& t : a->trainables()) {
    CHECK(t.grad == nullptr);
    if (t.name.ends_with("lora_B.weight")) {
      for (std::int64_t i = 0; i < t.rows * t.cols; ++i) CHECK(t.value[i] == 0);
      continue;
    }
    const double bound = 1 / std::sqrt(double(t.cols));
    double squares = 0;
    for (std::int64_t i = 0; i < t.rows * t.cols; ++i) {
      CHECK(std::fabs(double(t.value[i])) <= bound);
      squares += double(t.value[i]) * double(t.value[i]);
    }
    // A uniform's variance is bound² / 3.
    CHECK(squares / double(t.rows * t.cols) == doctest::Approx(bound * bound / 3).epsilon(0.1));
    firsts.insert(t.value[0]);
  }
  CHECK(firsts.size() == 14);
  CHECK(Adapter::create(*model, 0, 32, 7, false).status().code == Code::recipe_unsupported);
  CHECK(Adapter::create(*model, 1025, 32, 7, false).status().code == Code::recipe_unsupported);
  CHECK(Adapter::create(*model, 16, 0, 7, false).status().code == Code::recipe_unsupported);
  CHECK(Adapter::create(*model, 16, std::nanf(""), 7, false).status().code == Code::recipe_unsupported);
}

TEST_CASE("a fresh adapter is the base model, bit for bit") {
  const Golden golden = read_golden(kName);
  on_each_backend([&](std::shared_ptr<Backend> backend) {
    const auto model = open_model(kName, backend);
    const auto adapter = must(Adapter::create(*model, 4, 8, 1, false));
    CHECK(must(logits(*model, adapter.get(), golden.batch.ids[0])) == must(logits(*model, nullptr, golden.batch.ids[0])));
  });
}

TEST_CASE("an adapter with fewer target modules loads; the others do nothing, and can be trained") {
  Copy copy;
  const auto model = open_model(kName, make_reference_backend());
  copy.set_config(R"(["q_proj","v_proj"])");
  copy.change_tensors([](SafetensorsFile& file) {
    std::erase_if(file.tensors, [](const auto& entry) {
      return entry.first.find("q_proj") == std::string::npos && entry.first.find("v_proj") == std::string::npos;
    });
  });
  const auto adapter = must(Adapter::load(*model, copy.path, true));
  for (const Trainable& t : adapter->trainables()) {
    CAPTURE(t.name);
    const bool given = t.name.find("q_proj") != std::string::npos || t.name.find("v_proj") != std::string::npos;
    if (t.name.ends_with("lora_B.weight")) CHECK((t.value[0] != 0) == given);
    if (t.name.ends_with("lora_A.weight")) CHECK(t.value[0] != 0);
  }
  copy.set_config(R"("all-linear")");
  CHECK(must(Adapter::load(*model, copy.path, false))->shape() == LoraShape(4));
}

TEST_CASE("layers_to_transform: a number or a list says which layers the adapter has; tensors of others are refused") {
  const auto model = open_model("tiny-llama-tied", make_reference_backend());
  // The tiny model has three layers; the tensors of `without` are left out.
  const auto load = [&](const std::string& layers, const std::vector<std::int64_t>& without) {
    Copy copy("tiny-llama-tied");
    copy.set_config(R"(["q_proj","k_proj","v_proj","o_proj","gate_proj","up_proj","down_proj"],"layers_to_transform":)" + layers);
    copy.change_tensors([&](SafetensorsFile& file) {
      std::erase_if(file.tensors, [&](const auto& entry) {
        return std::any_of(without.begin(), without.end(), [&](std::int64_t l) { return entry.first.find(".layers." + std::to_string(l) + ".") != std::string::npos; });
      });
    });
    const Result<std::shared_ptr<Adapter>> adapter = Adapter::load(*model, copy.path, true);
    if (adapter.ok()) CHECK(must(Adapter::shape_in(model->config(), copy.path)) == adapter.value()->shape());
    return std::pair(adapter.ok() ? Code::ok : adapter.status().code, adapter.ok() ? adapter.value()->shape().first_layer : -1);
  };
  using Seen = std::pair<Code, std::int64_t>;
  CHECK(load("2", {0, 1}) == Seen(Code::ok, 2));
  CHECK(load("[1, 2]", {0}) == Seen(Code::ok, 1));
  CHECK(load("[0, 2]", {1}) == Seen(Code::ok, 0));
  CHECK(load("[]", {}) == Seen(Code::ok, 0));
  CHECK(load("[1, 2]", {}).first == Code::adapter_mismatch);
  CHECK(load("[0, 2]", {}).first == Code::adapter_mismatch);
  CHECK(load("[1, 2]", {0, 2}).first == Code::adapter_invalid);
  CHECK(load("[3]", {0, 1, 2}).first == Code::adapter_mismatch);
  CHECK(load("[-1, 2]", {0, 1}).first == Code::adapter_invalid);
  CHECK(load("[1.5]", {0}).first == Code::adapter_invalid);
  CHECK(load("\"2\"", {0, 1}).first == Code::adapter_invalid);
}

TEST_CASE("adapters that do not fit are refused with a code") {
  const auto model = open_model(kName, make_reference_backend());
  const auto after_config = [&](const std::string& from, const std::string& to) {
    Copy copy;
    copy.replace(from, to);
    return Adapter::load(*model, copy.path, true).status().code;
  };
  CHECK(after_config("\"LORA\"", "\"IA3\"") == Code::adapter_mismatch);
  CHECK(after_config("\"peft_type\": \"LORA\",", "") == Code::adapter_invalid);
  CHECK(after_config("\"CAUSAL_LM\"", "\"SEQ_CLS\"") == Code::adapter_mismatch);
  CHECK(after_config("\"r\": 4", "\"r\": 8") == Code::adapter_mismatch);
  CHECK(after_config("\"r\": 4", "\"r\": 0") == Code::adapter_invalid);
  CHECK(after_config("\"r\": 4", "\"r\": -4") == Code::adapter_invalid);
  CHECK(after_config("\"r\": 4", "\"r\": 1e9") == Code::adapter_invalid);
  CHECK(after_config("\"r\": 4", "\"r\": \"4\"") == Code::adapter_invalid);
  CHECK(after_config("\"lora_alpha\": 8", "\"lora_alpha\": 0") == Code::adapter_invalid);
  CHECK(after_config("\"lora_alpha\": 8", "\"lora_alpha\": 1e300") == Code::adapter_invalid);
  CHECK(after_config("\"lora_alpha\": 8", "\"lora_alpha\": null") == Code::adapter_invalid);
  CHECK(after_config("\"bias\": \"none\"", "\"bias\": \"all\"") == Code::adapter_mismatch);
  CHECK(after_config("\"use_rslora\": false", "\"use_rslora\": true") == Code::adapter_mismatch);
  CHECK(after_config("\"use_dora\": false", "\"use_dora\": true") == Code::adapter_mismatch);
  CHECK(after_config("\"lora_bias\": false", "\"lora_bias\": true") == Code::adapter_mismatch);
  CHECK(after_config("\"fan_in_fan_out\": false", "\"fan_in_fan_out\": true") == Code::adapter_mismatch);
  CHECK(after_config("\"modules_to_save\": null", "\"modules_to_save\": [\"lm_head\"]") == Code::adapter_mismatch);
  CHECK(after_config("\"rank_pattern\": {}", "\"rank_pattern\": {\"q_proj\": 8}") == Code::adapter_mismatch);
  CHECK(after_config("\"alpha_pattern\": {}", "\"alpha_pattern\": {\"q_proj\": 8}") == Code::adapter_mismatch);
  CHECK(after_config("\"layers_to_transform\": null", "\"layers_to_transform\": 1") == Code::adapter_mismatch);
  CHECK(after_config("model.layers.0.mlp.down_proj", "lm_head") == Code::adapter_mismatch);
  CHECK(after_config("{", "[") == Code::adapter_invalid);

  const auto after_targets = [&](const std::string& targets) {
    Copy copy;
    copy.set_config(targets);
    return Adapter::load(*model, copy.path, true).status().code;
  };
  CHECK(after_targets(R"(["q_proj","k_proj","v_proj","o_proj","gate_proj","up_proj","down_proj"])") == Code::ok);
  CHECK(after_targets("[]") == Code::adapter_invalid);
  CHECK(after_targets("[1]") == Code::adapter_invalid);
  CHECK(after_targets("null") == Code::adapter_invalid);

  const auto after_tensors = [&](void (*change)(SafetensorsFile&)) {
    Copy copy;
    copy.change_tensors(change);
    return Adapter::load(*model, copy.path, true).status().code;
  };
  CHECK(after_tensors([](SafetensorsFile& f) { f.tensors.erase(kKey); }) == Code::adapter_invalid);
  CHECK(after_tensors([](SafetensorsFile& f) { f.tensors.clear(); }) == Code::adapter_invalid);
  CHECK(after_tensors([](SafetensorsFile& f) { f.tensors["lm_head.lora_A.weight"] = f.tensors.at(kKey); }) == Code::adapter_mismatch);
  CHECK(after_tensors([](SafetensorsFile& f) { f.tensors.at(kKey).shape = {4, 32}; }) == Code::adapter_mismatch);
  CHECK(after_tensors([](SafetensorsFile& f) { f.tensors.at(kKey).data[5] = std::nanf(""); }) == Code::adapter_invalid);

  // The other tiny model's adapter: other sizes.
  CHECK(Adapter::load(*model, fixture("golden/tiny-llama-tied/adapter"), true).status().code == Code::adapter_mismatch);
  CHECK(Adapter::load(*model, fixture("golden"), true).status().code == Code::adapter_unreadable);
}

TEST_CASE("an adapter that cannot be written says so") {
  TemporaryFolder folder;
  const auto model = open_model(kName, make_reference_backend());
  CHECK(golden_adapter(kName, *model)->save(folder / "missing", "tiny").code == Code::disk_unwritable);
}

}  // namespace namesake::test
