// Keys of GGUF arch llama (ggml-org/ggml docs/gguf.md, "llama").
#include "engine/model_config.h"

#include <cmath>
#include <string>

namespace namesake {

namespace {

Status invalid(const std::string& what) { return Status::error(Code::model_invalid, what); }
Status unknown(const std::string& what) { return Status::error(Code::model_unknown_architecture, what); }

/// A whole number in [1, most]; `out` keeps its value where the key is absent and not required.
Status read_size(const GgufFile& file, const std::string& key, std::int64_t most, bool required, std::int64_t& out) {
  if (!file.metadata().contains(key)) return required ? invalid("key " + key + " is missing") : Status{};
  std::uint64_t value = 0;
  if (!file.get_u64(key, value)) return invalid("key " + key + " is not a whole number of at least 0");
  if (value < 1 || value > static_cast<std::uint64_t>(most)) {
    return invalid("key " + key + " is " + std::to_string(value) + ", not between 1 and " + std::to_string(most));
  }
  out = static_cast<std::int64_t>(value);
  return {};
}

/// A number in [least, most]; absent and not required: `out` is kept.
Status read_number(const GgufFile& file, const std::string& key, double least, double most, bool required, double& out) {
  if (!file.metadata().contains(key)) return required ? invalid("key " + key + " is missing") : Status{};
  double value = 0;
  if (!file.get_f64(key, value)) return invalid("key " + key + " is not a number");
  if (!std::isfinite(value) || value < least || value > most) return invalid("key " + key + " is out of range");
  out = value;
  return {};
}

/// Options of the llama family that change the arithmetic and are not part of this graph.
Status refuse_options(const GgufFile& file) {
  std::string text;
  if (file.metadata().contains("llama.rope.scaling.type") &&
      !(file.get_string("llama.rope.scaling.type", text) && text == "none")) {
    return unknown("rope scaling (llama.rope.scaling.type) is not supported");
  }
  for (const char* key : {"llama.rope.scaling.factor", "llama.rope.scale_linear"}) {
    double factor = 0;
    if (file.metadata().contains(key) && !(file.get_f64(key, factor) && factor == 1)) {
      return unknown(std::string("rope scaling (") + key + ") is not supported");
    }
  }
  for (const char* key : {"llama.expert_count", "llama.expert_used_count", "llama.attention.sliding_window"}) {
    std::uint64_t value = 0;
    if (file.metadata().contains(key) && !(file.get_u64(key, value) && value == 0)) {
      return unknown(std::string("option ") + key + " is not supported");
    }
  }
  for (const char* key : {"llama.attention.clamp_kqv", "llama.attention.max_alibi_bias", "llama.logit_scale",
                          "llama.residual_scale", "llama.embedding_scale", "llama.attention.scale"}) {
    if (file.metadata().contains(key)) return unknown(std::string("option ") + key + " is not supported");
  }
  return {};
}

}  // namespace

Result<Config> read_config(const GgufFile& file) {
  Config config;
  if (!file.get_string("general.architecture", config.architecture)) return invalid("key general.architecture is missing");
  if (config.architecture != "llama") {
    return unknown("architecture \"" + config.architecture + "\" is not supported; llama is");
  }
  NAMESAKE_TRY(refuse_options(file));
  NAMESAKE_TRY(read_size(file, "llama.block_count", 1024, true, config.layers));
  NAMESAKE_TRY(read_size(file, "llama.context_length", std::int64_t{1} << 20, true, config.context));
  NAMESAKE_TRY(read_size(file, "llama.embedding_length", 1 << 16, true, config.hidden));
  NAMESAKE_TRY(read_size(file, "llama.feed_forward_length", 1 << 18, true, config.ffn));
  NAMESAKE_TRY(read_size(file, "llama.attention.head_count", 1024, true, config.heads));
  config.kv_heads = config.heads;
  NAMESAKE_TRY(read_size(file, "llama.attention.head_count_kv", 1024, false, config.kv_heads));
  if (config.heads % config.kv_heads != 0) {
    return invalid(std::to_string(config.heads) + " heads are not a multiple of " + std::to_string(config.kv_heads) +
                   " key/value heads");
  }

  if (!file.metadata().contains("llama.attention.key_length") && config.hidden % config.heads != 0) {
    return invalid("hidden size " + std::to_string(config.hidden) + " is not a multiple of " +
                   std::to_string(config.heads) + " heads");
  }
  config.head_dim = config.hidden / config.heads;
  NAMESAKE_TRY(read_size(file, "llama.attention.key_length", 1024, false, config.head_dim));
  std::int64_t value_length = config.head_dim, rope_dims = config.head_dim;
  NAMESAKE_TRY(read_size(file, "llama.attention.value_length", 1024, false, value_length));
  NAMESAKE_TRY(read_size(file, "llama.rope.dimension_count", 1024, false, rope_dims));
  if (config.head_dim < 2 || config.head_dim % 2 != 0 || config.head_dim > 1024) {
    return invalid("head size " + std::to_string(config.head_dim) + " is not an even number up to 1024");
  }
  // Bounds the rope table at 512 MB; a million positions of head size 128 still fit.
  if (config.context * config.head_dim > std::int64_t{1} << 27) {
    return invalid("a context of " + std::to_string(config.context) + " with head size " + std::to_string(config.head_dim) +
                   " is out of range");
  }
  if (value_length != config.head_dim) return unknown("key and value heads of different sizes are not supported");
  if (rope_dims != config.head_dim) return unknown("rope over a part of the head is not supported");

  double eps = 0;
  NAMESAKE_TRY(read_number(file, "llama.attention.layer_norm_rms_epsilon", 1e-12, 1e-1, true, eps));
  config.rms_eps = static_cast<float>(eps);
  NAMESAKE_TRY(read_number(file, "llama.rope.freq_base", 1, 1e12, false, config.rope_theta));
  config.rope_adjacent = true;

  const GgufTensor* embedding = file.tensor("token_embd.weight");
  if (!embedding) return Status::error(Code::model_missing_tensor, "tensor token_embd.weight is missing");
  config.vocab = embedding->matrix.rows;
  if (config.vocab < 2 || config.vocab > 1 << 24) {
    return invalid("a vocabulary of " + std::to_string(config.vocab) + " tokens is out of range");
  }
  std::int64_t stated = config.vocab;
  NAMESAKE_TRY(read_size(file, "llama.vocab_size", std::int64_t{1} << 24, false, stated));
  if (stated != config.vocab) {
    return invalid("llama.vocab_size is " + std::to_string(stated) + ", the embedding has " + std::to_string(config.vocab) +
                   " rows");
  }
  config.tied = file.tensor("output.weight") == nullptr;
  return config;
}

}  // namespace namesake
