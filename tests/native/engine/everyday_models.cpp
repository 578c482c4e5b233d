#include "engine/everyday_models.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "backend/fixture.h"
#include "formats/blocks.h"
#include "formats/safetensors_builder.h"
#include "formats/temporary_folder.h"

namespace namesake::test {

namespace {

/// A Qwen2.5 of these sizes; the rest of its shape is the family's.
Config qwen2(std::int64_t hidden, std::int64_t heads, std::int64_t kv_heads, std::int64_t ffn, std::int64_t vocab, bool tied) {
  Config config;
  config.architecture = "qwen2";
  set_family(config, Family::qwen2);
  config.hidden = hidden;
  config.layers = 28;
  config.heads = heads;
  config.kv_heads = kv_heads;
  config.head_dim = 128;
  config.ffn = ffn;
  config.vocab = vocab;
  config.context = 32768;
  config.tied = tied;
  return config;
}

Config internlm2_1_8b() {
  Config config;
  config.architecture = "internlm2";
  set_family(config, Family::internlm2);
  config.hidden = 2048;
  config.layers = 24;
  config.heads = 16;
  config.kv_heads = 8;
  config.head_dim = 128;
  config.ffn = 8192;
  config.vocab = 92544;
  config.context = 32768;
  return config;
}

std::string number(std::int64_t value) { return std::to_string(value); }

std::string config_json(const Config& config) {
  std::string json = R"({"model_type":")" + config.architecture + R"(","vocab_size":)" + number(config.vocab) + R"(,"hidden_size":)" +
                     number(config.hidden) + R"(,"intermediate_size":)" + number(config.ffn) + R"(,"num_hidden_layers":)" +
                     number(config.layers) + R"(,"num_attention_heads":)" + number(config.heads) + R"(,"num_key_value_heads":)" +
                     number(config.kv_heads) + R"(,"max_position_embeddings":)" + number(config.context) +
                     R"(,"hidden_act":"silu","rms_norm_eps":1e-06,"rope_theta":1000000.0,"tie_word_embeddings":)" +
                     (config.tied ? "true" : "false");
  return json + (config.family == Family::qwen2 ? R"(,"use_sliding_window":false})" : R"(,"bias":false})");
}

struct NamedShape {
  std::string name;
  std::vector<std::int64_t> shape;
};

std::vector<NamedShape> tensors_of(const Config& c) {
  const bool fused = c.family == Family::internlm2;
  const std::int64_t Q = c.heads * c.head_dim, KV = c.kv_heads * c.head_dim;
  std::vector<NamedShape> all = {{fused ? "model.tok_embeddings.weight" : "model.embed_tokens.weight", {c.vocab, c.hidden}},
                                 {"model.norm.weight", {c.hidden}}};
  if (!c.tied) all.push_back({fused ? "output.weight" : "lm_head.weight", {c.vocab, c.hidden}});
  for (std::int64_t l = 0; l < c.layers; ++l) {
    const std::string layer = "model.layers." + number(l) + ".";
    const auto add = [&](const std::string& name, std::vector<std::int64_t> shape) { all.push_back({layer + name, std::move(shape)}); };
    add(fused ? "attention_norm.weight" : "input_layernorm.weight", {c.hidden});
    add(fused ? "ffn_norm.weight" : "post_attention_layernorm.weight", {c.hidden});
    if (fused) {
      add("attention.wqkv.weight", {Q + 2 * KV, c.hidden});
    } else {
      for (const auto& [name, rows] : {std::pair("q", Q), std::pair("k", KV), std::pair("v", KV)}) {
        add(std::string("self_attn.") + name + "_proj.weight", {rows, c.hidden});
        add(std::string("self_attn.") + name + "_proj.bias", {rows});
      }
    }
    add(fused ? "attention.wo.weight" : "self_attn.o_proj.weight", {c.hidden, Q});
    add(fused ? "feed_forward.w1.weight" : "mlp.gate_proj.weight", {c.ffn, c.hidden});
    add(fused ? "feed_forward.w3.weight" : "mlp.up_proj.weight", {c.ffn, c.hidden});
    add(fused ? "feed_forward.w2.weight" : "mlp.down_proj.weight", {c.hidden, c.ffn});
  }
  return all;
}

std::size_t bytes_of(const NamedShape& tensor) {
  std::size_t bytes = sizeof(std::uint16_t);
  for (const std::int64_t size : tensor.shape) bytes *= static_cast<std::size_t>(size);
  return bytes;
}

std::size_t bytes_of(const Config& config) {
  std::size_t bytes = 0;
  for (const NamedShape& tensor : tensors_of(config)) bytes += bytes_of(tensor);
  return bytes;
}

std::string weights_of(const std::string& folder) { return folder + "/model.safetensors"; }

/// The configuration, and the file of weights up to the first one. Where that begins.
std::size_t write_header(const std::string& folder, const Config& config) {
  write_text(folder + "/config.json", config_json(config));
  std::string entries;
  std::size_t end = 0;
  for (const NamedShape& tensor : tensors_of(config)) {
    const std::size_t begin = end;
    end += bytes_of(tensor);
    entries += (entries.empty() ? "" : ",") + safetensors_entry(tensor.name, "BF16", tensor.shape, begin, end);
  }
  std::string header = "{" + entries + "}";
  header.append((8 - header.size() % 8) % 8, ' ');
  const std::string file = safetensors_file(header, "");
  write_text(weights_of(folder), file);
  return file.size();
}

}  // namespace

MemoryOptions EverydayTraining::options() const {
  MemoryOptions options;
  options.rank = rank;
  options.batch_tokens = batch_tokens;
  options.recompute = true;
  options.state_bits = state_bits;
  return options;
}

std::vector<EverydayTraining> everyday_trainings() {
  return {{"InternLM2-1.8B r64, 1024 tokens", internlm2_1_8b(), 3'780'000'000, 64, 1024, 32, 3.2},
          {"Qwen2.5-1.5B r16, 2048 tokens", qwen2(1536, 12, 2, 8960, 151936, true), 3'090'000'000, 16, 2048, 32, 2.4},
          {"Qwen2.5-7B r16, 2048 tokens, 8-bit states", qwen2(3584, 28, 4, 18944, 152064, false), 15'230'000'000, 16, 2048, 8, 6.5}};
}

void write_zero_model(const std::string& folder, const Config& config) {
  const std::size_t begin = write_header(folder, config);
  std::filesystem::resize_file(weights_of(folder), begin + bytes_of(config));
}

void write_random_model(const std::string& folder, const Config& config) {
  write_header(folder, config);
  std::ofstream file(weights_of(folder), std::ios::binary | std::ios::app);
  Random random("true width");
  std::vector<std::uint16_t> pool;
  for (int i = 0; i < 1 << 20; ++i) pool.push_back(f32_to_bf16(random.normal(0.02f)));
  // Every piece begins at another place of the pool; gigabytes are never in memory at once.
  std::size_t at = 0;
  for (std::size_t left = bytes_of(config) / sizeof(std::uint16_t); left > 0;) {
    const std::size_t piece = std::min(left, pool.size() - at);
    file.write(reinterpret_cast<const char*>(pool.data() + at), static_cast<std::streamsize>(piece * sizeof(std::uint16_t)));
    left -= piece;
    at = (at + piece + 4099) % pool.size();
  }
}

}  // namespace namesake::test
