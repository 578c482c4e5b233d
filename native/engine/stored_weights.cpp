// See engine/stored_weights.h.
#include "engine/stored_weights.h"

#include <string>
#include <string_view>
#include <unordered_set>

#include "engine/linear_layers.h"

namespace namesake {

namespace {

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text = "[";
  for (std::size_t d = 0; d < shape.size(); ++d) text += (d > 0 ? ", " : "") + std::to_string(shape[d]);
  return text + "]";
}

/// Looks tensors up by role and remembers which were asked for.
class Finder {
 public:
  Finder(const WeightFile& file, const Config& config, Naming naming) : file_(file), config_(config), naming_(naming) {}

  Status layer(std::int64_t l, StoredLayer& out) {
    const std::int64_t C = config_.hidden, D = config_.head_dim, Q = config_.heads * D, KV = config_.kv_heads * D;
    NAMESAKE_TRY(vector(Role::attn_norm, l, C, out.attn_norm));
    NAMESAKE_TRY(vector(Role::ffn_norm, l, C, out.ffn_norm));
    if (config_.qkv_bias) {
      NAMESAKE_TRY(vector(Role::q_bias, l, Q, out.q_bias));
      NAMESAKE_TRY(vector(Role::k_bias, l, KV, out.k_bias));
      NAMESAKE_TRY(vector(Role::v_bias, l, KV, out.v_bias));
    }
    if (config_.qk_norm) {
      NAMESAKE_TRY(vector(Role::q_norm, l, D, out.q_norm));
      NAMESAKE_TRY(vector(Role::k_norm, l, D, out.k_norm));
    }
    for (Linear linear : linears_of(config_)) {
      StoredRows& rows = out.linears[static_cast<std::size_t>(linear)];
      if (linear == Linear::qkv && tensor_name(naming_, Role::qkv).empty()) {
        NAMESAKE_TRY(fused_qkv(l, rows));
      } else {
        const LinearShape shape = linear_shape(config_, linear);
        NAMESAKE_TRY(matrix(role_of(linear), l, shape.out, shape.in, rows));
      }
    }
    return {};
  }

  Status matrix(Role role, std::int64_t l, std::int64_t rows, std::int64_t cols, StoredRows& out) {
    const StoredTensor* tensor = nullptr;
    NAMESAKE_TRY(find(role, l, {rows, cols}, tensor));
    out = StoredRows(tensor->matrix);
    return {};
  }

  Status vector(Role role, std::int64_t l, std::int64_t size, const StoredTensor*& out) { return find(role, l, {size}, out); }

  Status refuse_unused() {
    // Read with the config, which refuses one that it has no use for by not setting a scaling.
    if (config_.rope_scaling.type == RopeScaling::Type::llama3) used_.insert(tensor_name(naming_, Role::rope_factors));
    for (const StoredTensor& tensor : file_.tensors()) {
      if (used_.contains(tensor.name) || is_unread(naming_, config_, tensor.name)) continue;
      const bool bias = tensor.name.ends_with(".bias"), scaling = tensor.name.starts_with("rope_freqs"),
                 qk_norm = tensor.name.ends_with("q_norm.weight") || tensor.name.ends_with("k_norm.weight");
      const std::string why = bias      ? " (linear layers with a bias)"
                              : scaling ? " (scaled rope frequencies)"
                              : qk_norm ? " (norms of query and key)"
                                        : "";
      return Status::error(Code::model_unknown_architecture,
                           "tensor " + tensor.name + " is not part of a model of the kind " + config_.architecture + why);
    }
    return {};
  }

 private:
  Status find(Role role, std::int64_t l, const std::vector<std::int64_t>& shape, const StoredTensor*& out) {
    const std::string name = tensor_name(naming_, role, l);
    out = file_.tensor(name);
    if (!out) return Status::error(Code::model_missing_tensor, "tensor " + name + " is missing");
    if (out->shape != shape) {
      return Status::error(Code::model_invalid,
                           "tensor " + name + " is " + shape_text(out->shape) + ", the config asks for " + shape_text(shape));
    }
    used_.insert(name);
    return {};
  }

  Status fused_qkv(std::int64_t l, StoredRows& out) {
    const LinearShape q = linear_shape(config_, Linear::q), k = linear_shape(config_, Linear::k);
    const StoredTensor *tensor_q = nullptr, *tensor_k = nullptr, *tensor_v = nullptr;
    NAMESAKE_TRY(find(Role::q, l, {q.out, q.in}, tensor_q));
    NAMESAKE_TRY(find(Role::k, l, {k.out, k.in}, tensor_k));
    NAMESAKE_TRY(find(Role::v, l, {k.out, k.in}, tensor_v));
    out = StoredRows::fused_qkv(config_, tensor_q->matrix, tensor_k->matrix, tensor_v->matrix);
    return {};
  }

  const WeightFile& file_;
  const Config& config_;
  Naming naming_;
  std::unordered_set<std::string> used_;
};

}  // namespace

Result<StoredWeights> find_weights(const WeightFile& file, const Config& config, Naming naming) {
  StoredWeights weights;
  Finder finder(file, config, naming);
  NAMESAKE_TRY(finder.matrix(Role::embedding, 0, config.vocab, config.hidden, weights.embedding));
  weights.layers.resize(static_cast<std::size_t>(config.layers));
  for (std::int64_t l = 0; l < config.layers; ++l) NAMESAKE_TRY(finder.layer(l, weights.layers[static_cast<std::size_t>(l)]));
  NAMESAKE_TRY(finder.vector(Role::output_norm, 0, config.hidden, weights.output_norm));
  if (!config.tied) NAMESAKE_TRY(finder.matrix(Role::head, 0, config.vocab, config.hidden, weights.head));
  NAMESAKE_TRY(finder.refuse_unused());
  return weights;
}

}  // namespace namesake
