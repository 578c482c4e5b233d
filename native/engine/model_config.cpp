// Keys of GGUF arch llama (ggml-org/ggml docs/gguf.md, "llama").
#include "engine/model_config.h"

#include <cmath>
#include <string>

namespace namesake {

namespace {

constexpr std::int64_t kMostLayers = 1024, kMostContext = std::int64_t{1} << 20, kMostHidden = 1 << 16, kMostFfn = 1 << 18,
                       kMostHeads = 1024, kMostHeadDim = 1024, kMostVocab = 1 << 24;

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
  NAMESAKE_TRY(read_size(file, "llama.block_count", kMostLayers, true, config.layers));
  NAMESAKE_TRY(read_size(file, "llama.context_length", kMostContext, true, config.context));
  NAMESAKE_TRY(read_size(file, "llama.embedding_length", kMostHidden, true, config.hidden));
  NAMESAKE_TRY(read_size(file, "llama.feed_forward_length", kMostFfn, true, config.ffn));
  NAMESAKE_TRY(read_size(file, "llama.attention.head_count", kMostHeads, true, config.heads));
  config.kv_heads = config.heads;
  NAMESAKE_TRY(read_size(file, "llama.attention.head_count_kv", kMostHeads, false, config.kv_heads));
  if (!file.metadata().contains("llama.attention.key_length") && config.hidden % config.heads != 0) {
    return invalid("hidden size " + std::to_string(config.hidden) + " is not a multiple of " +
                   std::to_string(config.heads) + " heads");
  }
  config.head_dim = config.hidden / config.heads;
  NAMESAKE_TRY(read_size(file, "llama.attention.key_length", kMostHeadDim, false, config.head_dim));
  std::int64_t value_length = config.head_dim, rope_dims = config.head_dim;
  NAMESAKE_TRY(read_size(file, "llama.attention.value_length", kMostHeadDim, false, value_length));
  NAMESAKE_TRY(read_size(file, "llama.rope.dimension_count", kMostHeadDim, false, rope_dims));
  const GgufTensor* embedding = file.tensor("token_embd.weight");
  if (!embedding) return Status::error(Code::model_missing_tensor, "tensor token_embd.weight is missing");
  config.vocab = embedding->matrix.rows;
  NAMESAKE_TRY(check_sizes(config));
  if (value_length != config.head_dim) return unknown("key and value heads of different sizes are not supported");
  if (rope_dims != config.head_dim) return unknown("rope over a part of the head is not supported");

  double eps = 0;
  NAMESAKE_TRY(read_number(file, "llama.attention.layer_norm_rms_epsilon", 1e-12, 1e-1, true, eps));
  config.rms_eps = static_cast<float>(eps);
  NAMESAKE_TRY(read_number(file, "llama.rope.freq_base", 1, 1e12, false, config.rope_theta));
  config.rope_adjacent = true;

  std::int64_t stated = config.vocab;
  NAMESAKE_TRY(read_size(file, "llama.vocab_size", kMostVocab, false, stated));
  if (stated != config.vocab) {
    return invalid("llama.vocab_size is " + std::to_string(stated) + ", the embedding has " + std::to_string(config.vocab) +
                   " rows");
  }
  config.tied = file.tensor("output.weight") == nullptr;
  return config;
}

Status check_sizes(const Config& config) {
  const struct {
    const char* what;
    std::int64_t value, most;
  } sizes[] = {{"layers", config.layers, kMostLayers},      {"context", config.context, kMostContext},
               {"hidden size", config.hidden, kMostHidden}, {"ffn size", config.ffn, kMostFfn},
               {"heads", config.heads, kMostHeads},         {"key/value heads", config.kv_heads, kMostHeads}};
  for (const auto& [what, value, most] : sizes) {
    if (value < 1 || value > most) {
      return invalid(std::string(what) + ": " + std::to_string(value) + " is not between 1 and " + std::to_string(most));
    }
  }
  if (config.heads % config.kv_heads != 0) {
    return invalid(std::to_string(config.heads) + " heads are not a multiple of " + std::to_string(config.kv_heads) +
                   " key/value heads");
  }
  if (config.head_dim < 2 || config.head_dim % 2 != 0 || config.head_dim > kMostHeadDim) {
    return invalid("head size " + std::to_string(config.head_dim) + " is not an even number up to 1024");
  }
  // Bounds the rope table at 512 MB; a million positions of head size 128 still fit.
  if (config.context * config.head_dim > std::int64_t{1} << 27) {
    return invalid("a context of " + std::to_string(config.context) + " with head size " + std::to_string(config.head_dim) +
                   " is out of range");
  }
  if (config.vocab < 2 || config.vocab > kMostVocab) {
    return invalid("a vocabulary of " + std::to_string(config.vocab) + " tokens is out of range");
  }
  return {};
}

}  // namespace namesake
