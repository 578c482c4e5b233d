// See engine/config_gguf.h.
#include "engine/config_gguf.h"

#include <cmath>
#include <optional>
#include <string>
#include <utility>

#include "engine/config.h"
#include "engine/tensor_names.h"

namespace namesake {

namespace {

Status invalid(const std::string& what) { return Status::error(Code::model_invalid, what); }
Status unknown(const std::string& what) { return Status::error(Code::model_unknown_architecture, what); }

/// The keys of one architecture, "ARCHITECTURE.NAME".
class Keys {
 public:
  Keys(const GgufFile& file, std::string architecture) : file_(file), prefix_(std::move(architecture) + ".") {}

  std::string key(const std::string& name) const { return prefix_ + name; }
  bool contains(const std::string& name) const { return file_.metadata().contains(key(name)); }

  /// A whole number in [1, most]; `out` keeps its value where the key is absent and not required.
  Status size(const std::string& name, std::int64_t most, bool required, std::int64_t& out) const {
    if (!contains(name)) return required ? missing(name) : Status{};
    std::uint64_t value = 0;
    if (!file_.get_u64(key(name), value)) return invalid("key " + key(name) + " is not a whole number of at least 0");
    if (value < 1 || value > static_cast<std::uint64_t>(most)) {
      return invalid("key " + key(name) + " is " + std::to_string(value) + ", not between 1 and " + std::to_string(most));
    }
    out = static_cast<std::int64_t>(value);
    return {};
  }

  /// A number in [least, most]; absent and not required: `out` is kept.
  Status number(const std::string& name, double least, double most, bool required, double& out) const {
    if (!contains(name)) return required ? missing(name) : Status{};
    double value = 0;
    if (!file_.get_f64(key(name), value)) return invalid("key " + key(name) + " is not a number");
    if (!std::isfinite(value) || value < least || value > most) return invalid("key " + key(name) + " is out of range");
    out = value;
    return {};
  }

  /// Options that change the arithmetic and are not part of this graph.
  Status refuse_options() const {
    std::string text;
    if (contains("rope.scaling.type") && !(file_.get_string(key("rope.scaling.type"), text) && text == "none")) {
      return unknown("rope scaling (" + key("rope.scaling.type") + ") is not supported");
    }
    for (const char* name : {"rope.scaling.factor", "rope.scale_linear"}) {
      double factor = 0;
      if (contains(name) && !(file_.get_f64(key(name), factor) && factor == 1)) {
        return unknown("rope scaling (" + key(name) + ") is not supported");
      }
    }
    for (const char* name : {"expert_count", "expert_used_count", "attention.sliding_window"}) {
      std::uint64_t value = 0;
      if (contains(name) && !(file_.get_u64(key(name), value) && value == 0)) return unknown("option " + key(name) + " is not supported");
    }
    for (const char* name : {"attention.clamp_kqv", "attention.max_alibi_bias", "logit_scale", "residual_scale", "embedding_scale",
                             "attention.scale"}) {
      if (contains(name)) return unknown("option " + key(name) + " is not supported");
    }
    return {};
  }

 private:
  Status missing(const std::string& name) const { return invalid("key " + key(name) + " is missing"); }

  const GgufFile& file_;
  std::string prefix_;
};

Status read_sizes(const GgufFile& file, const Keys& keys, Config& config) {
  // Files of arch llama from before there were groups of heads leave their number out; no other architecture is that old.
  const bool old = config.family == Family::llama;
  NAMESAKE_TRY(keys.size("block_count", kMostLayers, true, config.layers));
  NAMESAKE_TRY(keys.size("context_length", kMostContext, true, config.context));
  NAMESAKE_TRY(keys.size("embedding_length", kMostHidden, true, config.hidden));
  NAMESAKE_TRY(keys.size("feed_forward_length", kMostFfn, true, config.ffn));
  NAMESAKE_TRY(keys.size("attention.head_count", kMostHeads, true, config.heads));
  config.kv_heads = config.heads;
  NAMESAKE_TRY(keys.size("attention.head_count_kv", kMostHeads, !old, config.kv_heads));
  if (!keys.contains("attention.key_length") && config.hidden % config.heads != 0) {
    return invalid("hidden size " + std::to_string(config.hidden) + " is not a multiple of " + std::to_string(config.heads) + " heads");
  }
  config.head_dim = config.hidden / config.heads;
  NAMESAKE_TRY(keys.size("attention.key_length", kMostHeadDim, false, config.head_dim));
  std::int64_t value_length = config.head_dim, rope_dims = config.head_dim;
  NAMESAKE_TRY(keys.size("attention.value_length", kMostHeadDim, false, value_length));
  NAMESAKE_TRY(keys.size("rope.dimension_count", kMostHeadDim, false, rope_dims));
  const StoredTensor* embedding = file.tensor(tensor_name(Naming::gguf, Role::embedding));
  if (!embedding) {
    return Status::error(Code::model_missing_tensor, "tensor " + tensor_name(Naming::gguf, Role::embedding) + " is missing");
  }
  config.vocab = embedding->matrix.rows;
  NAMESAKE_TRY(check_sizes(config));
  if (value_length != config.head_dim) return unknown("key and value heads of different sizes are not supported");
  if (rope_dims != config.head_dim) return unknown("rope over a part of the head is not supported");
  std::int64_t stated = config.vocab;
  NAMESAKE_TRY(keys.size("vocab_size", kMostVocab, false, stated));
  if (stated != config.vocab) {
    return invalid(keys.key("vocab_size") + " is " + std::to_string(stated) + ", the embedding has " +
                   std::to_string(config.vocab) + " rows");
  }
  return {};
}

/// llama3's scaling has no key: the file holds the factors of all frequencies as a tensor.
Status read_rope_factors(const GgufFile& file, Config& config) {
  const StoredTensor* tensor = file.tensor(tensor_name(Naming::gguf, Role::rope_factors));
  if (!tensor || config.family != Family::llama) return {};
  if (tensor->shape != std::vector<std::int64_t>{config.head_dim / 2}) {
    return invalid("tensor " + tensor->name + " does not have one factor for each pair of a head");
  }
  config.rope_scaling.type = RopeScaling::Type::llama3;
  config.rope_scaling.factors.resize(static_cast<std::size_t>(config.head_dim / 2));
  decode_row(tensor->matrix, 0, config.rope_scaling.factors.data());
  return check_sizes(config);
}

}  // namespace

Result<Config> read_gguf_config(const GgufFile& file) {
  Config config;
  if (!file.get_string("general.architecture", config.architecture)) return invalid("key general.architecture is missing");
  const std::optional<Family> family = family_of(config.architecture);
  if (!family) {
    return unknown("architecture \"" + config.architecture + "\" is not supported; llama, qwen2, qwen3 and internlm2 are");
  }
  set_family(config, *family);
  const Keys keys(file, config.architecture);
  NAMESAKE_TRY(keys.refuse_options());
  NAMESAKE_TRY(read_sizes(file, keys, config));
  double eps = 0;
  NAMESAKE_TRY(keys.number("attention.layer_norm_rms_epsilon", 1e-12, 1e-1, true, eps));
  config.rms_eps = static_cast<float>(eps);
  NAMESAKE_TRY(keys.number("rope.freq_base", 1, 1e12, *family != Family::llama, config.rope_theta));
  NAMESAKE_TRY(read_rope_factors(file, config));
  // internlm2's q/k rows are paired, too, but they are put back in order where they are fused.
  config.rope_adjacent = *family == Family::llama;
  config.tied = file.tensor(tensor_name(Naming::gguf, Role::head)) == nullptr;
  return config;
}

}  // namespace namesake
