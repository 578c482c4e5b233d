// Fields of config.json as transformers' configuration classes have them (LlamaConfig, MistralConfig, Qwen2Config, Qwen3Config,
// InternLM2Config); rope as of both generations: `rope_parameters` since release 5, `rope_theta` and `rope_scaling` before.
#include "engine/config_hf.h"

#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "engine/config.h"
#include "formats/utf8.h"

namespace namesake {

namespace {

Status invalid(const std::string& what) { return Status::error(Code::model_invalid, what); }
Status unknown(const std::string& what) { return Status::error(Code::model_unknown_architecture, what); }
Status missing(const std::string& key) { return invalid(key + " is missing"); }

/// What differs between the configuration classes.
struct Kind {
  const char* model_type;
  Family family;
  bool own_head_dim;     ///< head_dim has a default of its own: it must be stated
  bool own_kv_heads;     ///< the same of num_key_value_heads
  bool window_by_null;   ///< sliding_window counts, and null says that there is none
  bool window_by_switch; ///< use_sliding_window counts
  bool bias_switch;      ///< `bias`, which is on by default
};

constexpr Kind kKinds[] = {
    {"llama", Family::llama, false, false, false, false, false},
    {"mistral", Family::llama, false, true, true, false, false},
    {"qwen2", Family::qwen2, false, true, false, true, false},
    {"qwen3", Family::qwen3, true, true, false, true, false},
    {"internlm2", Family::internlm2, false, false, false, false, true},
};

bool is_unset(const JsonObject& json, const char* key) {
  const JsonKind kind = json.kind(key);
  return kind == JsonKind::absent || kind == JsonKind::null;
}

/// A whole number in [1, most].
Status read_size(const JsonObject& json, const std::string& key, std::int64_t most, std::int64_t& out) {
  if (is_unset(json, key.c_str())) return missing(key);
  std::int64_t value = 0;
  if (!json.get_i64(key, value)) return invalid(key + " is not a whole number");
  if (value < 1 || value > most) {
    return invalid(key + " is " + std::to_string(value) + ", not between 1 and " + std::to_string(most));
  }
  out = value;
  return {};
}

/// A number in [least, most].
Status read_number(const JsonObject& json, const std::string& key, double least, double most, double& out) {
  if (is_unset(json, key.c_str())) return missing(key);
  double value = 0;
  if (!json.get_f64(key, value)) return invalid(key + " is not a number");
  if (!std::isfinite(value) || value < least || value > most) return invalid(key + " is out of range");
  out = value;
  return {};
}

Status read_flag(const JsonObject& json, const std::string& key, bool& out) {
  if (is_unset(json, key.c_str())) return missing(key);
  return json.get_bool(key, out) ? Status{} : invalid(key + " is not true or false");
}

/// A switch that this graph has no part for; where it is not `required`, absence says off.
Status refuse_switch(const JsonObject& json, const std::string& key, bool required) {
  if (!required && is_unset(json, key.c_str())) return {};
  bool on = false;
  NAMESAKE_TRY(read_flag(json, key, on));
  return on ? unknown(key + " is not supported") : Status{};
}

Status read_sizes(const JsonObject& json, const Kind& kind, Config& config) {
  NAMESAKE_TRY(read_size(json, "vocab_size", kMostVocab, config.vocab));
  NAMESAKE_TRY(read_size(json, "hidden_size", kMostHidden, config.hidden));
  NAMESAKE_TRY(read_size(json, "intermediate_size", kMostFfn, config.ffn));
  NAMESAKE_TRY(read_size(json, "num_hidden_layers", kMostLayers, config.layers));
  NAMESAKE_TRY(read_size(json, "num_attention_heads", kMostHeads, config.heads));
  NAMESAKE_TRY(read_size(json, "max_position_embeddings", kMostContext, config.context));
  config.kv_heads = config.heads;
  if (kind.own_kv_heads || !is_unset(json, "num_key_value_heads")) {
    NAMESAKE_TRY(read_size(json, "num_key_value_heads", kMostHeads, config.kv_heads));
  }
  if (kind.own_head_dim || !is_unset(json, "head_dim")) return read_size(json, "head_dim", kMostHeadDim, config.head_dim);
  if (config.hidden % config.heads != 0) {
    return invalid("hidden_size " + std::to_string(config.hidden) + " is not a multiple of " + std::to_string(config.heads) + " heads");
  }
  config.head_dim = config.hidden / config.heads;
  return {};
}

/// Attention to a window of the past is not computed here.
Status refuse_windows(const JsonObject& json, const Kind& kind, const Config& config) {
  if (kind.window_by_switch) {
    NAMESAKE_TRY(refuse_switch(json, "use_sliding_window", true));
  } else {
    if (kind.window_by_null && json.kind("sliding_window") == JsonKind::absent) return missing("sliding_window");
    if (!is_unset(json, "sliding_window")) return unknown("sliding_window is not supported");
    NAMESAKE_TRY(refuse_switch(json, "use_sliding_window", false));
  }
  if (is_unset(json, "layer_types")) return {};
  std::vector<std::string> types;
  if (!json.get_strings("layer_types", types)) return invalid("layer_types is not a list of text");
  if (static_cast<std::int64_t>(types.size()) != config.layers) {
    return invalid("layer_types has " + std::to_string(types.size()) + " entries for " + std::to_string(config.layers) + " layers");
  }
  for (const std::string& type : types) {
    if (type != "full_attention") return unknown("layers of type " + quoted(type) + " are not supported");
  }
  return {};
}

/// Options that change the arithmetic and are not part of this graph.
Status refuse_options(const JsonObject& json, const Kind& kind) {
  NAMESAKE_TRY(refuse_switch(json, "bias", kind.bias_switch));
  for (const char* key : {"attention_bias", "mlp_bias"}) NAMESAKE_TRY(refuse_switch(json, key, false));
  std::string activation;
  if (is_unset(json, "hidden_act")) return missing("hidden_act");
  if (!json.get_string("hidden_act", activation)) return invalid("hidden_act is not text");
  if (activation != "silu") return unknown("the activation " + quoted(activation) + " is not supported");
  for (const char* key : {"num_experts", "num_local_experts", "n_routed_experts", "moe_intermediate_size"}) {
    std::int64_t count = 0;
    if (!is_unset(json, key) && !(json.get_i64(key, count) && count == 0)) return unknown(std::string(key) + " is not supported");
  }
  if (!is_unset(json, "quantization_config")) {
    return Status::error(Code::model_unknown_block, "quantised weights (quantization_config) are not read from a folder");
  }
  return {};
}

Status refuse_partial_rope(const JsonObject& json) {
  double share = 1;
  if (is_unset(json, "partial_rotary_factor") || (json.get_f64("partial_rotary_factor", share) && share == 1)) return {};
  return unknown("rope over a part of the head (partial_rotary_factor) is not supported");
}

/// What one place of config.json says of rope; empty = nothing.
struct Rope {
  std::optional<double> theta;
  std::optional<RopeScaling> scaling;
};

Status read_theta(const JsonObject& json, Rope& rope) {
  if (is_unset(json, "rope_theta")) return {};
  return read_number(json, "rope_theta", 1, 1e12, rope.theta.emplace());
}

/// rope_parameters or rope_scaling: an object of the type, called rope_type or (before) type, and its numbers.
Status read_rope_object(const JsonObject& json, const std::string& key, Rope& rope) {
  const std::optional<JsonObject> object = json.get_object(key);
  if (!object) return invalid(key + " is not an object with every key once");
  std::string type, old;
  const bool has_type = !is_unset(*object, "rope_type"), has_old = !is_unset(*object, "type");
  if (!has_type && !has_old) return missing(key + ".rope_type");
  if ((has_type && !object->get_string("rope_type", type)) || (has_old && !object->get_string("type", old))) {
    return invalid(key + ": the type is not text");
  }
  if (has_type && has_old && type != old) return invalid(key + " has two types, " + quoted(type) + " and " + quoted(old));
  if (!has_type) type = old;
  NAMESAKE_TRY(refuse_partial_rope(*object));
  NAMESAKE_TRY(read_theta(*object, rope));

  RopeScaling& scaling = rope.scaling.emplace();
  if (type == "default") return {};
  if (type == "dynamic") {
    scaling.type = RopeScaling::Type::dynamic;
    return read_number(*object, "factor", 1, 1e6, scaling.factor);
  }
  if (type != "llama3") return unknown("rope scaling of type " + quoted(type) + " is not supported");
  scaling.type = RopeScaling::Type::llama3;
  NAMESAKE_TRY(read_number(*object, "factor", 1, 1e6, scaling.factor));
  NAMESAKE_TRY(read_number(*object, "low_freq_factor", 1e-6, 1e6, scaling.low));
  NAMESAKE_TRY(read_number(*object, "high_freq_factor", 1e-6, 1e6, scaling.high));
  std::int64_t original = 0;
  NAMESAKE_TRY(read_size(*object, "original_max_position_embeddings", kMostContext, original));
  scaling.original_context = static_cast<double>(original);
  return {};
}

bool same_scaling(const RopeScaling& a, const RopeScaling& b) {
  return a.type == b.type && a.factor == b.factor && a.low == b.low && a.high == b.high && a.original_context == b.original_context;
}

/// Up to three places say it, and may not disagree: the fields of their own, rope_scaling, rope_parameters.
Status read_rope(const JsonObject& json, Config& config) {
  Rope places[3];
  NAMESAKE_TRY(read_theta(json, places[0]));
  if (json.kind("rope_scaling") == JsonKind::null) places[1].scaling.emplace();  // none, and said so
  if (!is_unset(json, "rope_scaling")) NAMESAKE_TRY(read_rope_object(json, "rope_scaling", places[1]));
  if (!is_unset(json, "rope_parameters")) NAMESAKE_TRY(read_rope_object(json, "rope_parameters", places[2]));
  NAMESAKE_TRY(refuse_partial_rope(json));

  Rope said;
  for (const Rope& place : places) {
    if (place.theta && said.theta && *place.theta != *said.theta) return invalid("rope_theta has two values");
    if (place.scaling && said.scaling && !same_scaling(*place.scaling, *said.scaling)) {
      return invalid("rope_scaling and rope_parameters disagree");
    }
    if (place.theta) said.theta = place.theta;
    if (place.scaling) said.scaling = place.scaling;
  }
  if (!said.theta) return missing("rope_theta");
  config.rope_theta = *said.theta;
  config.rope_scaling = said.scaling.value_or(RopeScaling{});
  return {};
}

}  // namespace

Result<Config> read_hf_config(const JsonObject& json) {
  Config config;
  if (is_unset(json, "model_type")) return missing("model_type");
  if (!json.get_string("model_type", config.architecture)) return invalid("model_type is not text");
  const Kind* kind = nullptr;
  for (const Kind& known : kKinds) {
    if (config.architecture == known.model_type) kind = &known;
  }
  if (kind == nullptr) {
    return unknown("model_type " + quoted(config.architecture) + " is not supported; llama, mistral, qwen2, qwen3 and internlm2 are");
  }
  set_family(config, kind->family);
  NAMESAKE_TRY(read_sizes(json, *kind, config));
  NAMESAKE_TRY(refuse_windows(json, *kind, config));
  NAMESAKE_TRY(refuse_options(json, *kind));
  NAMESAKE_TRY(read_rope(json, config));
  double eps = 0;
  NAMESAKE_TRY(read_number(json, "rms_norm_eps", 1e-12, 1e-1, eps));
  config.rms_eps = static_cast<float>(eps);
  NAMESAKE_TRY(read_flag(json, "tie_word_embeddings", config.tied));
  NAMESAKE_TRY(check_sizes(config));
  return config;
}

Result<Config> read_hf_config(const std::string& folder) {
  const std::string path = folder + "/config.json";
  const Result<JsonObject> json = JsonObject::read(path, Code::model_unreadable, Code::model_invalid);
  if (!json.ok()) return json.status();
  Result<Config> config = read_hf_config(json.value());
  if (!config.ok()) return Status::error(config.status().code, path + ": " + config.status().message);
  return config;
}

}  // namespace namesake
