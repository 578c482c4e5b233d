// See engine/model_source.h.
#include "engine/model_source.h"

#include <cstring>

#include "engine/config_gguf.h"
#include "engine/config_hf.h"
#include "formats/safetensors_model.h"

namespace namesake {

namespace {

bool same_bytes(const StoredTensor& a, const StoredTensor& b) {
  return a.shape == b.shape && a.matrix.type == b.matrix.type &&
         std::memcmp(a.matrix.data, b.matrix.data, static_cast<std::size_t>(a.matrix.rows * row_bytes(a.matrix.type, a.matrix.cols))) == 0;
}

/// tie_word_embeddings says that the head is the embedding. Where a folder has both all the same, transformers (since release 5)
/// ties them if they are equal, and uses the head that is there if not.
void untie_other_head(const WeightFile& file, Naming naming, Config& config) {
  const StoredTensor* embedding = file.tensor(tensor_name(naming, Role::embedding));
  const StoredTensor* head = file.tensor(tensor_name(naming, Role::head));
  if (!config.tied || !embedding || !head) return;
  config.tied = same_bytes(*embedding, *head);
  file.release_pages(head->matrix);
}

Result<ModelSource> open_folder(const std::string& path) {
  Result<std::shared_ptr<SafetensorsModel>> file = SafetensorsModel::open(path);
  if (!file.ok()) return file.status();
  Result<Config> config = read_hf_config(path);
  if (!config.ok()) return config.status();
  const Naming naming = hugging_face_naming(config.value().family);
  untie_other_head(*file.value(), naming, config.value());
  return ModelSource{file.take(), config.take(), naming};
}

}  // namespace

Result<ModelSource> open_source(const std::string& path) {
  if (is_folder(path)) return open_folder(path);
  Result<std::shared_ptr<GgufFile>> file = GgufFile::open(path);
  if (!file.ok()) return file.status();
  Result<Config> config = read_gguf_config(*file.value());
  if (!config.ok()) return config.status();
  return ModelSource{file.take(), config.take(), Naming::gguf};
}

}  // namespace namesake
