// Adapters in PEFT's layout: adapter_config.json and adapter_model.safetensors (huggingface/peft, docs "Checkpoint format").
#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <numeric>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/lora_adapter.h"
#include "engine/lora_layout.h"
#include "formats/atomic_file.h"
#include "formats/json.h"
#include "formats/safetensors.h"

namespace namesake {

namespace {

Status mismatch(const std::string& what) { return Status::error(Code::adapter_mismatch, what); }
Status invalid(const std::string& what) { return Status::error(Code::adapter_invalid, what); }

/// What of adapter_config.json this engine acts on.
struct PeftConfig {
  std::int64_t rank = 0;
  float alpha = 0;
  std::vector<std::string> targets;  ///< empty where target_modules is one pattern: the tensors alone decide
  std::vector<std::int64_t> layers;  ///< layers_to_transform; empty = all

  bool has_layer(std::int64_t layer) const { return layers.empty() || std::find(layers.begin(), layers.end(), layer) != layers.end(); }
};

/// Options that change what the tensors mean. Set to anything but false, null, {} or [] they are refused.
constexpr const char* kUnsupported[] = {
    "use_rslora", "use_dora", "use_qalora", "use_bdlora", "lora_bias", "fan_in_fan_out", "modules_to_save", "rank_pattern",
    "alpha_pattern", "layers_pattern", "layer_replication", "exclude_modules", "target_parameters",
    "trainable_token_indices", "alora_invocation_tokens", "arrow_config", "kasa_config", "velora_config",
    "monteclora_config", "megatron_config"};

bool is_unset(const JsonObject& json, const char* key) {
  bool flag = true;
  switch (json.kind(key)) {
    case JsonKind::absent:
    case JsonKind::null: return true;
    case JsonKind::boolean: return json.get_bool(key, flag) && !flag;
    case JsonKind::array:
    case JsonKind::object: return json.size(key) == 0;
    default: return false;
  }
}

/// Whether a target_modules entry ends in a linear layer of the model ("q_proj", "model.layers.0.self_attn.q_proj").
bool is_linear(const Config& model, std::string_view target) {
  const std::string_view last = target.substr(target.rfind('.') + 1);  // npos + 1 = 0: the whole entry
  const std::span<const Linear> linears = linears_of(model);
  return std::any_of(linears.begin(), linears.end(), [&](Linear linear) { return last == module_name(model.family, linear); });
}

Result<PeftConfig> parse_config(const JsonObject& json) {
  PeftConfig config;
  std::string text;
  if (!json.get_string("peft_type", text)) return invalid("adapter_config.json has no peft_type");
  if (text != "LORA") return mismatch("peft_type is " + text + ", only LORA is read");
  if (json.get_string("task_type", text) && text != "CAUSAL_LM") return mismatch("task_type is " + text + ", not CAUSAL_LM");
  if (!json.get_i64("r", config.rank)) return invalid("adapter_config.json has no whole number r");
  if (config.rank < 1 || config.rank > 1024) return invalid("r is " + std::to_string(config.rank) + ", not between 1 and 1024");
  double alpha = 0;
  if (!json.get_f64("lora_alpha", alpha)) return invalid("adapter_config.json has no lora_alpha");
  config.alpha = static_cast<float>(alpha);
  if (!std::isfinite(config.alpha) || config.alpha <= 0) return invalid("lora_alpha is not a positive number");
  for (const char* key : kUnsupported) {
    if (!is_unset(json, key)) return mismatch(std::string(key) + " is set, which this engine does not apply");
  }
  if (json.kind("bias") != JsonKind::absent && !(json.get_string("bias", text) && text == "none")) {
    return mismatch("bias is not \"none\"");
  }
  std::int64_t layer = 0;
  if (json.get_i64("layers_to_transform", layer)) {
    config.layers = {layer};
  } else if (!is_unset(json, "layers_to_transform") && !json.get_i64s("layers_to_transform", config.layers)) {
    return invalid("layers_to_transform holds something other than whole numbers");
  }
  if (std::any_of(config.layers.begin(), config.layers.end(), [](std::int64_t l) { return l < 0; })) {
    return invalid("layers_to_transform holds a number below 0");
  }
  switch (json.kind("target_modules")) {
    case JsonKind::string: break;
    case JsonKind::array:
      if (!json.get_strings("target_modules", config.targets)) return invalid("target_modules holds something other than text");
      if (config.targets.empty()) return invalid("target_modules is empty");
      break;
    default: return invalid("adapter_config.json has no target_modules");
  }
  return config;
}

Result<PeftConfig> read_config(const std::string& folder) {
  const Result<JsonObject> json =
      JsonObject::read(folder + "/adapter_config.json", Code::adapter_unreadable, Code::adapter_invalid);
  if (!json.ok()) return json.status();
  return parse_config(json.value());
}

/// PEFT's own rule: a module is a target when its path is the entry or ends in "." + entry, in a layer that is transformed.
bool is_target(const PeftConfig& config, const Config& model, const LoraPart& part) {
  const std::string path = module_path(model.family, part.layer, part.linear);
  return config.has_layer(part.layer) && std::any_of(config.targets.begin(), config.targets.end(), [&](const std::string& target) {
    return path == target || (path.size() > target.size() && path.ends_with("." + target));
  });
}

Result<LoraShape> shape_of(const Config& model, const PeftConfig& config) {
  const std::int64_t first = config.layers.empty() ? 0 : *std::min_element(config.layers.begin(), config.layers.end());
  if (first < model.layers) return LoraShape(config.rank, first);
  return mismatch("layers_to_transform begins at " + std::to_string(first) + ", the model has " + std::to_string(model.layers) + " layers");
}

}  // namespace

Result<LoraShape> Adapter::shape_in(const Config& config, const std::string& folder) {
  const Result<PeftConfig> peft = read_config(folder);
  if (!peft.ok()) return peft.status();
  return shape_of(config, peft.value());
}

Result<std::shared_ptr<Adapter>> Adapter::load(const Model& model, const std::string& folder, bool trainable,
                                               std::shared_ptr<Arena> arena, int state_bits) {
  const Result<PeftConfig> config = read_config(folder);
  if (!config.ok()) return config.status();
  for (const std::string& target : config.value().targets) {
    if (!is_linear(model.config(), target)) return mismatch("target module " + target + " is not a linear layer of this model");
  }
  const Result<LoraShape> fits = shape_of(model.config(), config.value());
  if (!fits.ok()) return fits.status();
  const LoraShape& shape = fits.value();
  Result<SafetensorsFile> file = read_safetensors(folder + "/adapter_model.safetensors");
  if (!file.ok()) return file.status();
  Result<std::shared_ptr<LoraAdapter>> made =
      LoraAdapter::allocate(model, shape, config.value().alpha, trainable, std::move(arena), state_bits);
  if (!made.ok()) return made.status();
  LoraAdapter& adapter = *made.value();

  std::map<std::string, TensorRead>& tensors = file.value().tensors;
  for (std::size_t a = 0; a < adapter.trainables().size(); a += 2) {
    const bool has_a = tensors.contains(adapter.trainables()[a].name), has_b = tensors.contains(adapter.trainables()[a + 1].name);
    if (has_a != has_b || (!has_a && is_target(config.value(), model.config(), lora_part(model.config(), shape.first_layer, a)))) {
      return invalid("tensor " + adapter.trainables()[has_a ? a + 1 : a].name + " is missing");
    }
    if (has_a && !config.value().has_layer(lora_part(model.config(), shape.first_layer, a).layer)) {
      return mismatch("tensor " + adapter.trainables()[a].name + " is of a layer that layers_to_transform leaves out");
    }
    if (!has_a) {
      // A module that the adapter leaves out: B zero changes nothing, a random A lets training reach it.
      NAMESAKE_TRY(adapter.init_a(a, 0));
      continue;
    }
    for (std::size_t i = a; i < a + 2; ++i) {
      const Trainable& t = adapter.trainables()[i];
      const TensorRead& tensor = tensors.at(t.name);
      if (tensor.shape != std::vector<std::int64_t>{t.rows, t.cols}) {
        return mismatch("tensor " + t.name + " is not [" + std::to_string(t.rows) + ", " + std::to_string(t.cols) + "]");
      }
      if (!std::all_of(tensor.data.begin(), tensor.data.end(), [](float x) { return std::isfinite(x); })) {
        return invalid("tensor " + t.name + " holds a value that is not finite");
      }
      NAMESAKE_TRY(adapter.set_values(i, from_hugging_face(model.config(), lora_part(model.config(), shape.first_layer, i), t.cols, tensor.data)));
      tensors.erase(t.name);
    }
  }
  if (!tensors.empty()) return mismatch("tensor " + tensors.begin()->first + " has no place in this model");
  return std::shared_ptr<Adapter>(made.take());
}

Status LoraAdapter::save(const std::string& folder, const std::string& base_model) const {
  std::vector<TensorToWrite> tensors;
  for (std::size_t i = 0; i < trainables_.size(); ++i) {
    const Trainable& t = trainables_[i];
    tensors.push_back({t.name, {t.rows, t.cols}, [this, &t, i](std::byte* values) -> Status {
      std::vector<float> own(static_cast<std::size_t>(t.rows * t.cols));
      NAMESAKE_TRY(arena_->backend().download(own.data(), t.value, own.size() * sizeof(float)));
      const std::vector<float> theirs = to_hugging_face(config_, lora_part(config_, shape_.first_layer, i), t.cols, own);
      std::memcpy(values, theirs.data(), theirs.size() * sizeof(float));
      return {};
    }});
  }
  NAMESAKE_TRY(write_safetensors(folder + "/adapter_model.safetensors", tensors, {{"format", "pt"}}));

  std::vector<std::string> targets;
  for (Linear linear : linears_of(config_)) targets.push_back(module_name(config_.family, linear));
  JsonWriter json;
  json.string("base_model_name_or_path", base_model)
      .string("bias", "none")
      .boolean("fan_in_fan_out", false)
      .boolean("inference_mode", true)
      .boolean("init_lora_weights", true)
      .f64("lora_alpha", alpha_)
      .f64("lora_dropout", 0)
      .string("peft_type", "LORA")
      .i64("r", shape_.rank)
      .strings("target_modules", targets)
      .string("task_type", "CAUSAL_LM");
  if (shape_.first_layer > 0) {
    std::vector<std::int64_t> layers(static_cast<std::size_t>(config_.layers - shape_.first_layer));
    std::iota(layers.begin(), layers.end(), shape_.first_layer);
    json.i64s("layers_to_transform", layers);
  }
  const Result<std::string> text = json.finish();
  if (!text.ok()) return text.status();
  return write_file_atomically(folder + "/adapter_config.json", text.value());
}

}  // namespace namesake
