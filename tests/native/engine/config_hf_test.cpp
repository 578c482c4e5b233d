// config.json: what each model_type gives, and everything that is refused.
#include "engine/config_hf.h"

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "doctest/doctest.h"
#include "formats/temporary_folder.h"

namespace namesake::test {

namespace {

/// Fields of a config.json, as JSON texts.
struct Fields {
  std::map<std::string, std::string> values;

  std::string text() const {
    std::string json;
    for (const auto& [key, value] : values) json += (json.empty() ? "{\"" : ",\"") + key + "\":" + value;
    return json + "}";
  }
  Result<Config> read() const {
    const Result<JsonObject> json = JsonObject::parse(text(), Code::internal);
    REQUIRE_MESSAGE(json.ok(), text());
    return read_hf_config(json.value());
  }
};

const std::map<std::string, std::string> kSizes = {
    {"vocab_size", "320"},        {"hidden_size", "64"},         {"intermediate_size", "128"},   {"num_hidden_layers", "2"},
    {"num_attention_heads", "4"}, {"num_key_value_heads", "2"},  {"max_position_embeddings", "512"},
    {"hidden_act", "\"silu\""},   {"rms_norm_eps", "1e-06"},     {"tie_word_embeddings", "false"}};

Fields with(std::map<std::string, std::string> more) {
  more.insert(kSizes.begin(), kSizes.end());
  return {std::move(more)};
}

const std::string kPlain = R"({"rope_type":"default","rope_theta":10000.0})";
const std::string kLlama3 =
    R"({"rope_type":"llama3","factor":32.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":256)";

/// As transformers 5 writes them; internlm2, whose code comes with the model, as its authors do.
Fields llama() { return with({{"model_type", "\"llama\""}, {"rope_parameters", kPlain}, {"attention_bias", "false"}, {"mlp_bias", "false"}, {"head_dim", "16"}}); }
Fields mistral() { return with({{"model_type", "\"mistral\""}, {"rope_parameters", kPlain}, {"sliding_window", "null"}, {"head_dim", "16"}}); }
Fields qwen2() {
  return with({{"model_type", "\"qwen2\""}, {"rope_parameters", kPlain}, {"use_sliding_window", "false"}, {"sliding_window", "null"},
               {"max_window_layers", "28"}, {"layer_types", R"(["full_attention","full_attention"])"}});
}
Fields qwen3() {
  return with({{"model_type", "\"qwen3\""}, {"rope_parameters", kPlain}, {"use_sliding_window", "false"}, {"attention_bias", "false"},
               {"head_dim", "32"}});
}
Fields internlm2() {
  return with({{"model_type", "\"internlm2\""}, {"bias", "false"}, {"rope_theta", "1000000"},
               {"rope_scaling", R"({"type":"dynamic","factor":2.0})"}});
}
const std::vector<std::pair<const char*, Fields (*)()>> kKinds = {
    {"llama", llama}, {"mistral", mistral}, {"qwen2", qwen2}, {"qwen3", qwen3}, {"internlm2", internlm2}};

Config must_read(const Fields& fields) {
  const Result<Config> config = fields.read();
  REQUIRE_MESSAGE(config.ok(), config.status().message);
  return config.value();
}

/// The code of `fields` with these fields set, or taken away by an empty text.
Code code_of(Fields fields, const std::map<std::string, std::string>& changes, std::string* message = nullptr) {
  for (const auto& [key, value] : changes) {
    if (value.empty()) {
      REQUIRE_MESSAGE(fields.values.erase(key) == 1, key);
    } else {
      fields.values[key] = value;
    }
  }
  const Status status = fields.read().status();
  CHECK(status.ok() == status.message.empty());
  if (message != nullptr) *message = status.message;
  return status.code;
}

}  // namespace

TEST_CASE("config.json: each model_type gives its family, sizes and options") {
  const struct {
    Fields (*fields)();
    Family family;
    bool qkv_bias, qk_norm, fused_qkv;
    std::int64_t head_dim;
  } expected[] = {{llama, Family::llama, false, false, false, 16},
                  {mistral, Family::llama, false, false, false, 16},
                  {qwen2, Family::qwen2, true, false, false, 16},
                  {qwen3, Family::qwen3, false, true, false, 32},
                  {internlm2, Family::internlm2, false, false, true, 16}};
  for (const auto& [fields, family, qkv_bias, qk_norm, fused_qkv, head_dim] : expected) {
    const Config config = must_read(fields());
    CAPTURE(config.architecture);
    CHECK("\"" + config.architecture + "\"" == fields().values.at("model_type"));
    CHECK(config.family == family);
    CHECK(config.qkv_bias == qkv_bias);
    CHECK(config.qk_norm == qk_norm);
    CHECK(config.fused_qkv == fused_qkv);
    CHECK(config.head_dim == head_dim);
    CHECK(config.vocab == 320);
    CHECK(config.hidden == 64);
    CHECK(config.ffn == 128);
    CHECK(config.layers == 2);
    CHECK(config.heads == 4);
    CHECK(config.kv_heads == 2);
    CHECK(config.context == 512);
    CHECK(config.rms_eps == 1e-6f);
    CHECK(config.rope_theta == (family == Family::internlm2 ? 1e6 : 1e4));
    CHECK_FALSE(config.rope_adjacent);
    CHECK_FALSE(config.tied);
  }
  Fields tied = qwen2();
  tied.values["tie_word_embeddings"] = "true";
  CHECK(must_read(tied).tied);
}

TEST_CASE("config.json: the tiny folders, as transformers and InternLM's authors write it") {
  const struct {
    const char* name;
    Family family;
    std::int64_t head_dim, ffn;
    bool tied;
    RopeScaling::Type scaling;
  } expected[] = {{"tiny-llama3", Family::llama, 16, 128, true, RopeScaling::Type::llama3},
                  {"tiny-mistral", Family::llama, 16, 64, false, RopeScaling::Type::none},
                  {"tiny-qwen2", Family::qwen2, 16, 128, true, RopeScaling::Type::none},
                  {"tiny-qwen3", Family::qwen3, 32, 64, true, RopeScaling::Type::none},
                  {"tiny-internlm2", Family::internlm2, 16, 64, false, RopeScaling::Type::dynamic}};
  for (const auto& [name, family, head_dim, ffn, tied, scaling] : expected) {
    CAPTURE(name);
    const Result<Config> config = read_hf_config(std::string(NAMESAKE_FIXTURES) + "/" + name);
    REQUIRE_MESSAGE(config.ok(), config.status().message);
    CHECK(config.value().family == family);
    CHECK(config.value().hidden == 64);
    CHECK(config.value().head_dim == head_dim);
    CHECK(config.value().ffn == ffn);
    CHECK(config.value().vocab == 323);
    CHECK(config.value().tied == tied);
    CHECK(config.value().rope_scaling.type == scaling);
  }
}

TEST_CASE("config.json: a missing or null field is model.invalid by name") {
  const std::map<std::string, std::vector<std::string>> own = {
      {"llama", {}}, {"mistral", {"num_key_value_heads"}}, {"qwen2", {"num_key_value_heads", "use_sliding_window"}},
      {"qwen3", {"num_key_value_heads", "use_sliding_window", "head_dim"}}, {"internlm2", {"bias", "rope_theta"}}};
  for (const auto& [name, fields] : kKinds) {
    CAPTURE(name);
    std::vector<std::string> keys = {"model_type", "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers",
                                     "num_attention_heads", "max_position_embeddings", "hidden_act", "rms_norm_eps",
                                     "tie_word_embeddings"};
    keys.insert(keys.end(), own.at(name).begin(), own.at(name).end());
    for (const std::string& key : keys) {
      CAPTURE(key);
      std::string message;
      for (const char* value : {"", "null"}) {
        CHECK(code_of(fields(), {{key, value}}, &message) == Code::model_invalid);
        CHECK(message.find(key) != std::string::npos);
      }
    }
  }
  CHECK(code_of(mistral(), {{"sliding_window", ""}}) == Code::model_invalid);  // its class has a window where nothing is said
  CHECK(code_of(llama(), {{"rope_parameters", ""}}) == Code::model_invalid);
  CHECK(code_of(llama(), {{"rope_parameters", R"({"rope_type":"default"})"}}) == Code::model_invalid);
  CHECK(code_of(llama(), {{"rope_parameters", R"({"rope_theta":10000.0})"}}) == Code::model_invalid);
  CHECK(code_of(internlm2(), {{"rope_scaling", R"({"type":"dynamic"})"}}) == Code::model_invalid);
  CHECK(code_of(internlm2(), {{"rope_scaling", R"({"factor":2.0})"}}) == Code::model_invalid);
}

TEST_CASE("config.json: absence and null that have one meaning") {
  for (const char* value : {"", "null"}) {
    CHECK(code_of(llama(), {{"head_dim", value}, {"attention_bias", value}, {"mlp_bias", value}}) == Code::ok);
    CHECK(code_of(mistral(), {{"head_dim", value}}) == Code::ok);
    CHECK(code_of(qwen3(), {{"attention_bias", value}}) == Code::ok);
    CHECK(code_of(qwen2(), {{"layer_types", value}, {"sliding_window", value}}) == Code::ok);
    CHECK(code_of(internlm2(), {{"rope_scaling", value}}) == Code::ok);
    Fields fields = llama();
    fields.values["num_key_value_heads"] = "null";
    CHECK(must_read(fields).kv_heads == 4);
  }
  // A window that is switched off.
  CHECK(code_of(qwen2(), {{"sliding_window", "32768"}}) == Code::ok);
  // A size may be written as a real number.
  CHECK(code_of(llama(), {{"hidden_size", "64.0"}}) == Code::ok);
}

TEST_CASE("config.json: rope of both generations") {
  Fields old = llama();
  old.values.erase("rope_parameters");
  old.values["rope_theta"] = "500000.0";
  old.values["rope_scaling"] = kLlama3 + "}";
  old.values["max_position_embeddings"] = "1024";
  Fields both = old, recent = old;
  for (const char* key : {"rope_theta", "rope_scaling"}) recent.values.erase(key);
  both.values["rope_parameters"] = recent.values["rope_parameters"] = kLlama3 + R"(,"rope_theta":500000.0})";
  for (const Fields& fields : {old, recent, both}) {
    const Config config = must_read(fields);
    CHECK(config.rope_theta == 500000);
    CHECK(config.rope_scaling.type == RopeScaling::Type::llama3);
    CHECK(config.rope_scaling.factor == 32);
    CHECK(config.rope_scaling.low == 1);
    CHECK(config.rope_scaling.high == 4);
    CHECK(config.rope_scaling.original_context == 256);
    CHECK(config.rope_scaling.factors.empty());
  }
  CHECK(must_read(internlm2()).rope_scaling.type == RopeScaling::Type::dynamic);
  CHECK(must_read(llama()).rope_scaling.type == RopeScaling::Type::none);
  // Both names of the type at once, as some releases wrote it.
  CHECK(code_of(old, {{"rope_scaling", kLlama3 + R"(,"type":"llama3"})"}}) == Code::ok);
  CHECK(code_of(old, {{"rope_scaling", kLlama3 + R"(,"type":"linear"})"}}) == Code::model_invalid);
  // Two places that disagree.
  CHECK(code_of(both, {{"rope_theta", "10000.0"}}) == Code::model_invalid);
  CHECK(code_of(both, {{"rope_scaling", "null"}}) == Code::model_invalid);
  CHECK(code_of(both, {{"rope_scaling", R"({"type":"dynamic","factor":32.0})"}}) == Code::model_invalid);
  CHECK(code_of(both, {{"rope_scaling", kLlama3 + R"(,"rope_theta":10000.0})"}}) == Code::model_invalid);
  // Numbers that are missing, out of range, or no numbers.
  for (const char* key : {"factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"}) {
    CAPTURE(key);
    const std::string name = std::string("\"") + key + "\":";
    std::string scaling = kLlama3 + "}";
    const std::size_t begin = scaling.find(name), end = scaling.find_first_of(",}", begin);
    for (const char* value : {"null", "0", "-1", "\"8\"", "1e300"}) {
      std::string changed = scaling;
      changed.replace(begin, end - begin, name + value);
      CHECK_MESSAGE(code_of(old, {{"rope_scaling", changed}}) == Code::model_invalid, changed);
    }
  }
  for (const char* value : {"0", "-1", "1e300", "\"1e4\"", "true"}) {
    CHECK(code_of(old, {{"rope_theta", value}}) == Code::model_invalid);
  }
  for (const char* value : {"[]", "\"llama3\"", "1", R"({"rope_type":1,"factor":2})", R"({"rope_type":"dynamic","factor":2,"factor":2})"}) {
    CHECK_MESSAGE(code_of(old, {{"rope_scaling", value}}) == Code::model_invalid, value);
  }
  for (const char* type : {"linear", "yarn", "longrope", "su", "mrope"}) {
    CHECK(code_of(old, {{"rope_scaling", std::string(R"({"factor":2.0,"type":")") + type + "\"}"}}) == Code::model_unknown_architecture);
  }
  CHECK(code_of(recent, {{"rope_parameters", R"({"full_attention":)" + kPlain + "}"}}) == Code::model_invalid);
}

TEST_CASE("config.json: sizes out of range or at odds are model.invalid") {
  for (const char* key : {"vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
                          "num_key_value_heads", "max_position_embeddings", "head_dim"}) {
    CAPTURE(key);
    for (const char* value : {"0", "-1", "1099511627776", "1e30", "18446744073709551615", "1.5", "\"8\"", "true", "[8]"}) {
      CAPTURE(value);
      CHECK(code_of(llama(), {{key, value}}) == Code::model_invalid);
    }
  }
  CHECK(code_of(llama(), {{"num_key_value_heads", "3"}}) == Code::model_invalid);
  CHECK(code_of(llama(), {{"num_attention_heads", "3"}, {"head_dim", ""}}) == Code::model_invalid);
  CHECK(code_of(llama(), {{"head_dim", "15"}}) == Code::model_invalid);
  for (const char* value : {"0", "-1e-6", "1", "\"1e-6\""}) CHECK(code_of(llama(), {{"rms_norm_eps", value}}) == Code::model_invalid);
  for (const char* value : {"0", "\"false\"", "[]"}) {
    CHECK(code_of(llama(), {{"tie_word_embeddings", value}}) == Code::model_invalid);
    CHECK(code_of(llama(), {{"attention_bias", value}}) == Code::model_invalid);
    CHECK(code_of(qwen2(), {{"use_sliding_window", value}}) == Code::model_invalid);
    CHECK(code_of(internlm2(), {{"bias", value}}) == Code::model_invalid);
  }
  CHECK(code_of(qwen2(), {{"layer_types", R"(["full_attention"])"}}) == Code::model_invalid);
  CHECK(code_of(qwen2(), {{"layer_types", "\"full_attention\""}}) == Code::model_invalid);
  CHECK(code_of(llama(), {{"hidden_act", "1"}}) == Code::model_invalid);
}

TEST_CASE("config.json: what the graph does not compute is model.unknown_architecture, never ignored") {
  for (const char* type : {"gemma2", "phi3", "mixtral", "qwen2_moe", "Llama", ""}) {
    CHECK(code_of(llama(), {{"model_type", std::string("\"") + type + "\""}}) == Code::model_unknown_architecture);
  }
  for (const auto& [name, fields] : kKinds) {
    CAPTURE(name);
    for (const auto& [key, value] : std::map<std::string, std::string>{
             {"hidden_act", "\"gelu\""}, {"attention_bias", "true"}, {"mlp_bias", "true"}, {"bias", "true"},
             {"partial_rotary_factor", "0.5"}, {"num_experts", "8"}, {"num_local_experts", "8"}, {"use_sliding_window", "true"}}) {
      CAPTURE(key);
      std::string message;
      CHECK(code_of(fields(), {{key, value}}, &message) == Code::model_unknown_architecture);
      CHECK(message.find(key == "hidden_act" ? "gelu" : key) != std::string::npos);
    }
    CHECK(code_of(fields(), {{"quantization_config", R"({"quant_method":"gptq"})"}}) == Code::model_unknown_block);
    CHECK(code_of(fields(), {{"partial_rotary_factor", "1.0"}, {"num_experts", "0"}, {"quantization_config", "null"}}) == Code::ok);
  }
  for (Fields (*fields)() : {llama, mistral, internlm2}) {
    CHECK(code_of(fields(), {{"sliding_window", "4096"}}) == Code::model_unknown_architecture);
  }
  CHECK(code_of(qwen3(), {{"layer_types", R"(["full_attention","sliding_attention"])"}}) == Code::model_unknown_architecture);
  CHECK(code_of(llama(), {{"rope_parameters", R"({"rope_type":"default","rope_theta":1e4,"partial_rotary_factor":0.5})"}}) ==
        Code::model_unknown_architecture);
}

TEST_CASE("config.json: a folder without one, or with one that is no JSON") {
  const TemporaryFolder folder;
  CHECK(read_hf_config(folder.path()).status().code == Code::model_unreadable);
  for (const char* text : {"", "{", "[]", "null", R"({"model_type":"llama","model_type":"llama"})"}) {
    write_text(folder / "config.json", text);
    const Status status = read_hf_config(folder.path()).status();
    CHECK_MESSAGE(status.code == Code::model_invalid, text);
    CHECK(status.message.find("config.json") != std::string::npos);
  }
  write_text(folder / "config.json", llama().text());
  CHECK(read_hf_config(folder.path()).ok());
}

}  // namespace namesake::test
