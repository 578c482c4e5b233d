// Model: the file's tensors checked against its config, converted where the precision asks for it, and placed on a backend.
#include "namesake/model.h"

#include <string>
#include <unordered_set>
#include <utility>

#include "engine/buffer.h"
#include "engine/model_config.h"
#include "engine/rope_table.h"
#include "formats/gguf.h"

namespace namesake {

namespace {

class GgufModel final : public Model {
 public:
  GgufModel(std::shared_ptr<GgufFile> file, Config config, Precision precision, std::shared_ptr<Backend> backend)
      : file_(std::move(file)), config_(std::move(config)), precision_(precision), backend_(std::move(backend)) {}

  /// Takes every tensor of the file to its place; what has none is refused, because ignoring it would compute something else.
  Status load();

  const Config& config() const override { return config_; }
  const Weights& weights() const override { return weights_; }
  const RopeTable& rope() const override { return rope_; }
  Backend& backend() const override { return *backend_; }
  std::shared_ptr<Backend> shared_backend() const override { return backend_; }

 private:
  Result<const GgufTensor*> find(const std::string& name, std::int64_t rows, std::int64_t cols);
  Status take_matrix(const std::string& name, std::int64_t rows, std::int64_t cols, bool linear, Matrix& out);
  Status take_norm(const std::string& name, const float*& out);
  Status take_layer(std::int64_t l, LayerWeights& out);
  Result<float*> decoded(const Matrix& from);
  Status convert(Matrix& matrix, BlockType to);
  Status refuse_unused() const;
  Status make_rope();

  std::shared_ptr<GgufFile> file_;
  Config config_;
  Precision precision_;
  std::shared_ptr<Backend> backend_;
  Weights weights_;
  RopeTable rope_;
  std::vector<Buffer> owned_;
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

/// A matrix decoded to f32 in backend memory, a row at a time.
Result<float*> GgufModel::decoded(const Matrix& from) {
  Buffer memory(*backend_);
  NAMESAKE_TRY(memory.reserve(static_cast<std::size_t>(from.rows * from.cols) * sizeof(float)));
  const BlockFormat& format = block_format(from.type);
  std::vector<float> row(static_cast<std::size_t>(from.cols));
  for (std::int64_t r = 0; r < from.rows; ++r) {
    format.decode(from.row(r), from.cols / format.values_per_block, row.data());
    NAMESAKE_TRY(backend_->upload(memory.floats() + r * from.cols, row.data(), row.size() * sizeof(float)));
  }
  float* values = memory.floats();
  owned_.push_back(std::move(memory));
  return values;
}

Status GgufModel::convert(Matrix& matrix, BlockType to) {
  if (matrix.type == to) return {};
  if (to == BlockType::f32) {
    const Result<float*> values = decoded(matrix);
    if (!values.ok()) return values.status();
    matrix.data = reinterpret_cast<const std::byte*>(values.value());
  } else {
    Buffer memory(*backend_);
    const std::size_t cols = static_cast<std::size_t>(matrix.cols);
    NAMESAKE_TRY(memory.reserve(static_cast<std::size_t>(matrix.rows) * cols * sizeof(std::uint16_t)));
    const BlockFormat& format = block_format(matrix.type);
    std::vector<float> row(cols);
    std::vector<std::uint16_t> rounded(cols);
    for (std::int64_t r = 0; r < matrix.rows; ++r) {
      format.decode(matrix.row(r), matrix.cols / format.values_per_block, row.data());
      for (std::size_t c = 0; c < cols; ++c) rounded[c] = f32_to_bf16(row[c]);
      const std::size_t bytes = cols * sizeof(std::uint16_t);
      NAMESAKE_TRY(backend_->upload(memory.data() + static_cast<std::size_t>(r) * bytes, rounded.data(), bytes));
    }
    matrix.data = memory.data();
    owned_.push_back(std::move(memory));
  }
  matrix.type = to;
  return {};
}

Status GgufModel::take_matrix(const std::string& name, std::int64_t rows, std::int64_t cols, bool linear, Matrix& out) {
  const Result<const GgufTensor*> tensor = find(name, rows, cols);
  if (!tensor.ok()) return tensor.status();
  out = tensor.value()->matrix;
  if (precision_ == Precision::f32) return convert(out, BlockType::f32);
  if (precision_ == Precision::bf16 && linear) return convert(out, BlockType::bf16);
  return {};
}

Status GgufModel::take_norm(const std::string& name, const float*& out) {
  const Result<const GgufTensor*> tensor = find(name, 1, config_.hidden);
  if (!tensor.ok()) return tensor.status();
  const Matrix& matrix = tensor.value()->matrix;
  if (matrix.type == BlockType::f32) {
    out = reinterpret_cast<const float*>(matrix.data);
    return {};
  }
  const Result<float*> values = decoded(matrix);
  if (!values.ok()) return values.status();
  out = values.value();
  return {};
}

Status GgufModel::take_layer(std::int64_t l, LayerWeights& out) {
  const std::string prefix = "blk." + std::to_string(l) + ".";
  const std::int64_t C = config_.hidden, F = config_.ffn, Q = config_.heads * config_.head_dim,
                     KV = config_.kv_heads * config_.head_dim;
  NAMESAKE_TRY(take_norm(prefix + "attn_norm.weight", out.attn_norm));
  NAMESAKE_TRY(take_matrix(prefix + "attn_q.weight", Q, C, true, out.q));
  NAMESAKE_TRY(take_matrix(prefix + "attn_k.weight", KV, C, true, out.k));
  NAMESAKE_TRY(take_matrix(prefix + "attn_v.weight", KV, C, true, out.v));
  NAMESAKE_TRY(take_matrix(prefix + "attn_output.weight", C, Q, true, out.o));
  NAMESAKE_TRY(take_norm(prefix + "ffn_norm.weight", out.ffn_norm));
  NAMESAKE_TRY(take_matrix(prefix + "ffn_gate.weight", F, C, true, out.gate));
  NAMESAKE_TRY(take_matrix(prefix + "ffn_up.weight", F, C, true, out.up));
  return take_matrix(prefix + "ffn_down.weight", C, F, true, out.down);
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

Status GgufModel::make_rope() {
  const RopeValues values = rope_values(config_.rope_theta, config_.head_dim, config_.context);
  const std::size_t bytes = values.cos.size() * sizeof(float);
  Buffer memory(*backend_);
  NAMESAKE_TRY(memory.reserve(2 * bytes));
  NAMESAKE_TRY(backend_->upload(memory.data(), values.cos.data(), bytes));
  NAMESAKE_TRY(backend_->upload(memory.data() + bytes, values.sin.data(), bytes));
  rope_ = {memory.floats(), memory.floats() + values.cos.size(), config_.context, config_.rope_adjacent};
  owned_.push_back(std::move(memory));
  return {};
}

Status GgufModel::load() {
  NAMESAKE_TRY(take_matrix("token_embd.weight", config_.vocab, config_.hidden, false, weights_.embedding));
  weights_.layers.resize(static_cast<std::size_t>(config_.layers));
  for (std::int64_t l = 0; l < config_.layers; ++l) {
    NAMESAKE_TRY(take_layer(l, weights_.layers[static_cast<std::size_t>(l)]));
  }
  NAMESAKE_TRY(take_norm("output_norm.weight", weights_.output_norm));
  weights_.head = weights_.embedding;
  if (!config_.tied) NAMESAKE_TRY(take_matrix("output.weight", config_.vocab, config_.hidden, false, weights_.head));
  NAMESAKE_TRY(refuse_unused());
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
