// See engine/config.h; also the families of model.h.
#include "engine/config.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace namesake {

namespace {

constexpr Family kFamilies[] = {Family::llama, Family::qwen2, Family::qwen3, Family::internlm2};

Status invalid(const std::string& what) { return Status::error(Code::model_invalid, what); }

Status check_rope_scaling(const Config& config) {
  const RopeScaling& scaling = config.rope_scaling;
  if (scaling.type != RopeScaling::Type::llama3) return {};
  if (!scaling.factors.empty()) {
    if (static_cast<std::int64_t>(scaling.factors.size()) != config.head_dim / 2) {
      return invalid(std::to_string(scaling.factors.size()) + " rope factors for a head size of " + std::to_string(config.head_dim));
    }
    if (!std::all_of(scaling.factors.begin(), scaling.factors.end(), [](float x) { return std::isfinite(x) && x > 0; })) {
      return invalid("a rope factor is not a positive number");
    }
    return {};
  }
  const bool finite = std::isfinite(scaling.factor) && std::isfinite(scaling.low) && std::isfinite(scaling.high) &&
                      std::isfinite(scaling.original_context);
  if (!finite || scaling.factor < 1 || scaling.low <= 0 || scaling.high <= scaling.low || scaling.original_context < 1) {
    return invalid("the numbers of the llama3 rope scaling are out of range");
  }
  return {};
}

}  // namespace

const char* family_name(Family family) {
  switch (family) {
    case Family::llama: return "llama";
    case Family::qwen2: return "qwen2";
    case Family::qwen3: return "qwen3";
    case Family::internlm2: break;
  }
  return "internlm2";
}

std::optional<Family> family_of(std::string_view name) {
  for (Family family : kFamilies) {
    if (name == family_name(family)) return family;
  }
  return {};
}

void set_family(Config& config, Family family) {
  config.family = family;
  config.qkv_bias = family == Family::qwen2;
  config.qk_norm = family == Family::qwen3;
  config.fused_qkv = family == Family::internlm2;
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
  return check_rope_scaling(config);
}

}  // namespace namesake
