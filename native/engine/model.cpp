// Model: the file's tensors checked against its config, converted where the precision asks for it, and placed on a backend.
#include "namesake/model.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <unordered_set>
#include <utility>

#include "engine/arena.h"
#include "engine/memory_plan.h"
#include "engine/model_config.h"
#include "engine/rope_table.h"
#include "formats/gguf.h"

namespace namesake {

namespace {

class GgufModel final : public Model {
 public:
  GgufModel(std::shared_ptr<GgufFile> file, Config config, Precision precision, std::shared_ptr<Backend> backend)
      : file_(std::move(file)), config_(std::move(config)), precision_(precision), backend_(std::move(backend)),
        memory_(backend_) {}

  /// Takes every tensor of the file to its place; what has none is refused, because ignoring it would compute something else.
  Status load();

  const Config& config() const override { return config_; }
  const Weights& weights() const override { return weights_; }
  const RopeTable& rope() const override { return rope_; }
  Backend& backend() const override { return *backend_; }
  std::shared_ptr<Backend> shared_backend() const override { return backend_; }

 private:
  Result<const GgufTensor*> find(const std::string& name, std::int64_t rows, std::int64_t cols);
  Status take_matrix(const std::string& name, std::int64_t rows, std::int64_t cols, Matrix& out);
  Status take_norm(const std::string& name);
  Status take_layer(std::int64_t l, LayerWeights& out);
  Status take_tensors();
  Status refuse_unused() const;
  Status decode(const Matrix& from, const std::string& name, float*& values);
  Status convert(Matrix& matrix, const std::string& name, bool linear);
  Status convert_tensors();
  Status finish_norm(const std::string& name, const float*& norm);
  Status make_rope();

  std::shared_ptr<GgufFile> file_;
  Config config_;
  Precision precision_;
  std::shared_ptr<Backend> backend_;
  Weights weights_;
  RopeTable rope_;
  Arena memory_;  // what the file does not hold as it is computed with
  std::unordered_set<std::string> used_;
};

Result<const GgufTensor*> GgufModel::find(const std::string& name, std::int64_t rows, std::int64_t cols) {
  const GgufTensor* tensor = file_->tensor(name);
  if (!tensor) return Status::error(Code::model_missing_tensor, "tensor " + name + " is missing");
  if (tensor->shape.size() > 2 || tensor->matrix.rows != rows || tensor->matrix.cols != cols) {
    return Status::error(Code::model_invalid, "tensor " + name + " is [" + std::to_string(tensor->matrix.rows) + ", " +
                                                  std::to_string(tensor->matrix.cols) + "], the config asks for [" +
                                                  std::to_string(rows) + ", " + std::to_string(cols) + "]");
  }
  used_.insert(name);
  return tensor;
}

Status GgufModel::take_matrix(const std::string& name, std::int64_t rows, std::int64_t cols, Matrix& out) {
  const Result<const GgufTensor*> tensor = find(name, rows, cols);
  if (!tensor.ok()) return tensor.status();
  out = tensor.value()->matrix;
  return {};
}

Status GgufModel::take_norm(const std::string& name) {
  const Result<const GgufTensor*> tensor = find(name, 1, config_.hidden);
  if (!tensor.ok()) return tensor.status();
  // Whether a tensor is a norm is told by that where memory is planned: one that is stored as a matrix has no room there.
  if (tensor.value()->shape.size() == 1) return {};
  return Status::error(Code::model_invalid, "tensor " + name + " has " + std::to_string(tensor.value()->shape.size()) + " dimensions, a norm has one");
}

Status GgufModel::take_layer(std::int64_t l, LayerWeights& out) {
  const std::string prefix = "blk." + std::to_string(l) + ".";
  const std::int64_t C = config_.hidden, F = config_.ffn, Q = config_.heads * config_.head_dim,
                     KV = config_.kv_heads * config_.head_dim;
  NAMESAKE_TRY(take_norm(prefix + "attn_norm.weight"));
  NAMESAKE_TRY(take_matrix(prefix + "attn_q.weight", Q, C, out.q));
  NAMESAKE_TRY(take_matrix(prefix + "attn_k.weight", KV, C, out.k));
  NAMESAKE_TRY(take_matrix(prefix + "attn_v.weight", KV, C, out.v));
  NAMESAKE_TRY(take_matrix(prefix + "attn_output.weight", C, Q, out.o));
  NAMESAKE_TRY(take_norm(prefix + "ffn_norm.weight"));
  NAMESAKE_TRY(take_matrix(prefix + "ffn_gate.weight", F, C, out.gate));
  NAMESAKE_TRY(take_matrix(prefix + "ffn_up.weight", F, C, out.up));
  return take_matrix(prefix + "ffn_down.weight", C, F, out.down);
}

Status GgufModel::refuse_unused() const {
  for (const GgufTensor& tensor : file_->tensors()) {
    if (used_.contains(tensor.name)) continue;
    const bool bias = tensor.name.ends_with(".bias"), scaling = tensor.name.starts_with("rope_freqs"),
               qk_norm = tensor.name.ends_with("_q_norm.weight") || tensor.name.ends_with("_k_norm.weight");
    const std::string why = bias      ? " (linear layers with a bias)"
                            : scaling ? " (scaled rope frequencies)"
                            : qk_norm ? " (norms of query and key)"
                                      : "";
    return Status::error(Code::model_unknown_architecture, "tensor " + tensor.name + " is not part of the plain llama graph" + why);
  }
  return {};
}

/// A matrix as f32 in backend memory, a row at a time.
Status GgufModel::decode(const Matrix& from, const std::string& name, float*& values) {
  NAMESAKE_TRY(memory_.take(values, converted_bytes(from.rows, from.cols, BlockType::f32), name.c_str()));
  const BlockFormat& format = block_format(from.type);
  std::vector<float> row(static_cast<std::size_t>(from.cols));
  for (std::int64_t r = 0; r < from.rows; ++r) {
    format.decode(from.row(r), from.cols / format.values_per_block, row.data());
    NAMESAKE_TRY(backend_->upload(values + r * from.cols, row.data(), row.size() * sizeof(float)));
  }
  return {};
}

Status GgufModel::convert(Matrix& matrix, const std::string& name, bool linear) {
  const std::optional<BlockType> to = converted_type(precision_, linear);
  if (!to || *to == matrix.type) return {};
  if (*to == BlockType::f32) {
    float* values = nullptr;
    NAMESAKE_TRY(decode(matrix, name, values));
    matrix.data = reinterpret_cast<const std::byte*>(values);
  } else {
    std::uint16_t* values = nullptr;
    NAMESAKE_TRY(memory_.take(values, converted_bytes(matrix.rows, matrix.cols, *to), name.c_str()));
    const BlockFormat& format = block_format(matrix.type);
    std::vector<float> row(static_cast<std::size_t>(matrix.cols));
    std::vector<std::uint16_t> rounded(row.size());
    for (std::int64_t r = 0; r < matrix.rows; ++r) {
      format.decode(matrix.row(r), matrix.cols / format.values_per_block, row.data());
      for (std::size_t c = 0; c < row.size(); ++c) rounded[c] = f32_to_bf16(row[c]);
      NAMESAKE_TRY(backend_->upload(values + r * matrix.cols, rounded.data(), rounded.size() * sizeof(std::uint16_t)));
    }
    matrix.data = reinterpret_cast<const std::byte*>(values);
  }
  matrix.type = *to;
  return {};
}

/// A norm's weights: in the file where they are stored as f32. Few values that everything goes through: a broken file is found here.
Status GgufModel::finish_norm(const std::string& name, const float*& norm) {
  const Matrix& matrix = file_->tensor(name)->matrix;
  std::vector<float> values(static_cast<std::size_t>(matrix.cols));
  const BlockFormat& format = block_format(matrix.type);
  format.decode(matrix.data, matrix.cols / format.values_per_block, values.data());
  if (!std::all_of(values.begin(), values.end(), [](float x) { return std::isfinite(x); })) {
    return Status::error(Code::model_invalid, "tensor " + name + " holds a value that is not finite");
  }
  norm = reinterpret_cast<const float*>(matrix.data);
  if (matrix.type == BlockType::f32) return {};
  float* decoded = nullptr;
  NAMESAKE_TRY(decode(matrix, name, decoded));
  norm = decoded;
  return {};
}

Status GgufModel::make_rope() {
  const RopeValues values = rope_values(config_.rope_theta, config_.head_dim, config_.context);
  const std::size_t bytes = values.cos.size() * sizeof(float);
  float *cos = nullptr, *sin = nullptr;
  NAMESAKE_TRY(memory_.take(cos, bytes, "rope table"));
  NAMESAKE_TRY(memory_.take(sin, bytes, "rope table"));
  NAMESAKE_TRY(backend_->upload(cos, values.cos.data(), bytes));
  NAMESAKE_TRY(backend_->upload(sin, values.sin.data(), bytes));
  rope_ = {cos, sin, config_.context, config_.rope_adjacent};
  return {};
}

Status GgufModel::take_tensors() {
  NAMESAKE_TRY(take_matrix("token_embd.weight", config_.vocab, config_.hidden, weights_.embedding));
  weights_.layers.resize(static_cast<std::size_t>(config_.layers));
  for (std::int64_t l = 0; l < config_.layers; ++l) {
    NAMESAKE_TRY(take_layer(l, weights_.layers[static_cast<std::size_t>(l)]));
  }
  NAMESAKE_TRY(take_norm("output_norm.weight"));
  if (!config_.tied) NAMESAKE_TRY(take_matrix("output.weight", config_.vocab, config_.hidden, weights_.head));
  return refuse_unused();
}

Status GgufModel::convert_tensors() {
  NAMESAKE_TRY(convert(weights_.embedding, "token_embd", false));
  for (std::size_t l = 0; l < weights_.layers.size(); ++l) {
    const std::string prefix = "blk." + std::to_string(l);
    LayerWeights& layer = weights_.layers[l];
    NAMESAKE_TRY(finish_norm(prefix + ".attn_norm.weight", layer.attn_norm));
    for (Matrix* matrix : {&layer.q, &layer.k, &layer.v, &layer.o, &layer.gate, &layer.up, &layer.down}) {
      NAMESAKE_TRY(convert(*matrix, prefix, true));
    }
    NAMESAKE_TRY(finish_norm(prefix + ".ffn_norm.weight", layer.ffn_norm));
  }
  NAMESAKE_TRY(finish_norm("output_norm.weight", weights_.output_norm));
  if (!config_.tied) return convert(weights_.head, "output", false);
  weights_.head = weights_.embedding;
  return {};
}

Status GgufModel::load() {
  NAMESAKE_TRY(take_tensors());
  NAMESAKE_TRY(memory_.reserve(resident_bytes(*file_, config_, precision_), "the model's weights"));
  NAMESAKE_TRY(convert_tensors());
  return make_rope();
}

}  // namespace

Result<std::shared_ptr<Model>> Model::open(const std::string& path, Precision precision, std::shared_ptr<Backend> backend) {
  Result<std::shared_ptr<GgufFile>> file = GgufFile::open(path);
  if (!file.ok()) return file.status();
  Result<Config> config = read_config(*file.value());
  if (!config.ok()) return config.status();
  auto model = std::make_shared<GgufModel>(file.take(), config.take(), precision, std::move(backend));
  NAMESAKE_TRY(model->load());
  return std::shared_ptr<Model>(std::move(model));
}

}  // namespace namesake
