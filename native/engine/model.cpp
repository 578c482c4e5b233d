// Model: a file's tensors, converted where the precision asks for it, and placed on a backend.
#include "namesake/model.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <utility>

#include "engine/arena.h"
#include "engine/linear_layers.h"
#include "engine/memory_plan.h"
#include "engine/model_source.h"
#include "engine/nf4_weights.h"
#include "engine/rope_table.h"
#include "engine/stored_weights.h"

namespace namesake {

namespace {

class LoadedModel final : public Model {
 public:
  LoadedModel(ModelSource source, Precision precision, std::shared_ptr<Backend> backend)
      : source_(std::move(source)), holding_{precision, backend->reads_host_memory()}, backend_(std::move(backend)), memory_(backend_) {}

  /// `path` and `cache_folder` as in Model::open.
  Status load(const std::string& path, const std::string& cache_folder);

  const Config& config() const override { return source_.config; }
  const Weights& weights() const override { return weights_; }
  const RopeTable& rope() const override { return rope_; }
  Backend& backend() const override { return *backend_; }
  std::shared_ptr<Backend> shared_backend() const override { return backend_; }

 private:
  Status take_layer(const StoredLayer& stored, LayerWeights& layer);
  Status convert(const StoredRows& stored, std::optional<BlockType> to, Matrix& matrix);
  Status copy_whole(const Matrix& from, std::byte* to);
  Status take_vector(const StoredTensor* tensor, const float*& vector);
  Status make_rope();

  ModelSource source_;
  Holding holding_;
  std::shared_ptr<Backend> backend_;
  Weights weights_;
  RopeTable rope_;
  Arena memory_;  // what the file does not hold as it is computed with
  std::optional<Nf4Weights> nf4_;
};

/// Rows as they are stored, some megabytes at a time: the file's pages of those that are copied may go.
Status LoadedModel::copy_whole(const Matrix& from, std::byte* to) {
  const std::int64_t row_size = row_bytes(from.type, from.cols), piece = std::max<std::int64_t>(1, (16 << 20) / row_size);
  for (std::int64_t r = 0; r < from.rows; r += piece) {
    const Matrix rows{from.type, std::min(piece, from.rows - r), from.cols, from.row(r)};
    NAMESAKE_TRY(backend_->upload(to + r * row_size, rows.data, static_cast<std::size_t>(rows.rows * row_size)));
    source_.file->release_pages(rows);
  }
  return {};
}

/// The one place where a matrix changes its format: `matrix` lies in the file where it stays as it is, else in memory, made a row
/// at a time in format `to`.
Status LoadedModel::convert(const StoredRows& stored, std::optional<BlockType> to, Matrix& matrix) {
  if (!to) {
    matrix = *stored.whole();
    return {};
  }
  if (*to == BlockType::nf4) return nf4_->take(stored, backend_->threads(), memory_, matrix);
  const std::int64_t rows = stored.rows(), cols = stored.cols();
  const std::size_t row_size = static_cast<std::size_t>(row_bytes(*to, cols));
  std::byte* data = nullptr;
  NAMESAKE_TRY(memory_.take(data, converted_bytes(rows, cols, *to), "converted weights"));
  matrix = {*to, rows, cols, data};
  if (stored.whole() && stored.type() == *to) return copy_whole(*stored.whole(), data);
  std::vector<float> row(static_cast<std::size_t>(cols));
  std::vector<std::uint16_t> rounded(row.size());
  for (std::int64_t r = 0; r < rows; ++r) {
    const void* from = row.data();
    if (stored.type() == *to) {
      from = stored.bytes(r);
    } else {
      stored.decode(r, row.data());
      if (*to == BlockType::bf16) {
        std::transform(row.begin(), row.end(), rounded.begin(), f32_to_bf16);
        from = rounded.data();
      }
    }
    NAMESAKE_TRY(backend_->upload(data + static_cast<std::size_t>(r) * row_size, from, row_size));
  }
  stored.release_pages(*source_.file);
  return {};
}

/// A norm's weights or a bias, in the file where that will do. Few values that everything goes through: a broken file is found here.
Status LoadedModel::take_vector(const StoredTensor* tensor, const float*& vector) {
  if (!tensor) return {};
  std::vector<float> values(static_cast<std::size_t>(tensor->matrix.cols));
  decode_row(tensor->matrix, 0, values.data());
  if (!std::all_of(values.begin(), values.end(), [](float x) { return std::isfinite(x); })) {
    return Status::error(Code::model_invalid, "tensor " + tensor->name + " holds a value that is not finite");
  }
  if (!is_copied(*tensor, holding_)) {
    vector = reinterpret_cast<const float*>(tensor->matrix.data);
    return {};
  }
  float* copy = nullptr;
  NAMESAKE_TRY(memory_.take(copy, values.size() * sizeof(float), tensor->name.c_str()));
  NAMESAKE_TRY(backend_->upload(copy, values.data(), values.size() * sizeof(float)));
  vector = copy;
  return {};
}

Status LoadedModel::take_layer(const StoredLayer& stored, LayerWeights& layer) {
  NAMESAKE_TRY(take_vector(stored.attn_norm, layer.attn_norm));
  NAMESAKE_TRY(take_vector(stored.q_bias, layer.q_bias));
  NAMESAKE_TRY(take_vector(stored.k_bias, layer.k_bias));
  NAMESAKE_TRY(take_vector(stored.v_bias, layer.v_bias));
  NAMESAKE_TRY(take_vector(stored.q_norm, layer.q_norm));
  NAMESAKE_TRY(take_vector(stored.k_norm, layer.k_norm));
  NAMESAKE_TRY(take_vector(stored.ffn_norm, layer.ffn_norm));
  for (Linear linear : linears_of(config())) {
    const StoredRows& rows = stored.linears[static_cast<std::size_t>(linear)];
    NAMESAKE_TRY(convert(rows, copied_type(rows, holding_, true), matrix_of(layer, linear)));
  }
  return {};
}

Status LoadedModel::make_rope() {
  const Config& c = config();
  const RopeValues values = rope_values(c);
  const std::size_t bytes = values.cos.size() * sizeof(float);
  float *cos = nullptr, *sin = nullptr;
  NAMESAKE_TRY(memory_.take(cos, bytes, "rope table"));
  NAMESAKE_TRY(memory_.take(sin, bytes, "rope table"));
  NAMESAKE_TRY(backend_->upload(cos, values.cos.data(), bytes));
  NAMESAKE_TRY(backend_->upload(sin, values.sin.data(), bytes));
  rope_ = {cos, sin, c.context, c.rope_adjacent};
  return {};
}

Status LoadedModel::load(const std::string& path, const std::string& cache_folder) {
  const Result<StoredWeights> found = find_weights(*source_.file, config(), source_.naming);
  if (!found.ok()) return found.status();
  const StoredWeights& stored = found.value();
  source_.config.f32_matrices = has_f32_matrix(stored, config(), holding_);
  std::size_t resident = resident_bytes(stored, config(), holding_);
  if (holding_.precision == Precision::nf4) {
    std::vector<Nf4Shape> shapes = nf4_shapes(stored, config());
    const std::size_t quantised = nf4_bytes(shapes);
    nf4_.emplace(*source_.file, path, cache_folder, std::move(shapes));
    if (nf4_->cached() && holding_.in_file) resident -= quantised;
  }
  NAMESAKE_TRY(memory_.reserve(resident, "the model's weights"));
  NAMESAKE_TRY(convert(stored.embedding, copied_embedding(stored, config(), holding_), weights_.embedding));
  weights_.layers.resize(stored.layers.size());
  for (std::size_t l = 0; l < stored.layers.size(); ++l) NAMESAKE_TRY(take_layer(stored.layers[l], weights_.layers[l]));
  NAMESAKE_TRY(take_vector(stored.output_norm, weights_.output_norm));
  if (config().tied) {
    weights_.head = weights_.embedding;
  } else {
    NAMESAKE_TRY(convert(stored.head, copied_type(stored.head, holding_, false), weights_.head));
  }
  if (nf4_) nf4_->finish();
  return make_rope();
}

}  // namespace

Result<std::shared_ptr<Model>> Model::open(const std::string& path, Precision precision, std::shared_ptr<Backend> backend,
                                            const std::string& cache_folder) {
  Result<ModelSource> source = open_source(path);
  if (!source.ok()) return source.status();
  auto model = std::make_shared<LoadedModel>(source.take(), precision, std::move(backend));
  NAMESAKE_TRY(model->load(path, cache_folder));
  return std::shared_ptr<Model>(std::move(model));
}

}  // namespace namesake
