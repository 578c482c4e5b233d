#include "formats/safetensors_model.h"

#include <filesystem>
#include <new>
#include <set>
#include <utility>

#include "formats/json.h"
#include "formats/native_path.h"
#include "formats/safetensors_directory.h"
#include "formats/utf8.h"

namespace namesake {
namespace {

constexpr char kWholeFile[] = "model.safetensors", kIndexFile[] = "model.safetensors.index.json";

constexpr SafetensorsType kTypes[] = {{"F32", 4}, {"F16", 2}, {"BF16", 2}};
constexpr BlockType kBlockTypes[] = {BlockType::f32, BlockType::f16, BlockType::bf16};
constexpr SafetensorsRules kRules = {kTypes, Code::model_truncated, Code::model_invalid, Code::model_unknown_block};

Status invalid(std::string message) { return Status::error(Code::model_invalid, std::move(message)); }

/// Whether there is anything of that name: a broken link or a file in a locked folder is, so that opening it says what is wrong.
bool is_there(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::symlink_status(native_path(path), ignored).type() != std::filesystem::file_type::not_found;
}

/// A name that can only be a file of the folder itself, on every system: no separator, drive, stream, parent or hidden file.
bool is_plain_name(std::string_view name) {
  if (name.empty() || name.size() > 255 || name[0] == '.' || !name.ends_with(".safetensors") || !is_utf8(name)) return false;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f || c == '/' || c == '\\' || c == ':') return false;
  }
  return true;
}

using Index = std::map<std::string, std::string>;  // tensor -> file

Result<Index> read_index(const JsonObject& json) {
  Index index;
  if (!json.get_string_map("weight_map", index)) return invalid("the index has no weight_map of names to files");
  if (index.empty()) return invalid("the index names no tensor");
  if (index.size() > kMostSafetensorsTensors) return invalid("the index names " + std::to_string(index.size()) + " tensors");
  for (const auto& [tensor, file] : index) {
    if (!is_plain_name(file)) return invalid("the index places tensor " + namesake::quoted(tensor) + " in " + namesake::quoted(file) +
                                             ", which is not the name of a safetensors file");
  }
  return index;
}

Result<std::set<std::string>> files_of(const Index& index) {
  std::set<std::string> files;
  for (const auto& [tensor, file] : index) files.insert(file);
  if (files.size() > kMostShards) return invalid("the index names " + std::to_string(files.size()) + " files");
  return files;
}

Status out_of_memory() { return Status::error(Code::memory_insufficient, "not enough memory for the list of a model's tensors"); }

}  // namespace

Status SafetensorsModel::add(const SafetensorsShard& shard) {
  Result<SafetensorsDirectory> directory = read_safetensors_directory(shard.data, shard.size, kRules);
  if (!directory.ok()) return Status::error(directory.status().code, shard.name + ": " + directory.status().message);
  if (directory.value().entries.size() > kMostSafetensorsTensors - tensors_.size()) {
    return invalid(shard.name + ": more than " + std::to_string(kMostSafetensorsTensors) + " tensors");
  }
  for (SafetensorsEntry& entry : directory.value().entries) {
    const std::string what = shard.name + ": tensor " + namesake::quoted(entry.name);
    if (entry.name.empty()) return invalid(shard.name + ": a tensor has an empty name");
    if (entry.name.size() > kMostSafetensorsNameBytes) return invalid(what + " has too long a name");
    if (entry.elements == 0) return invalid(what + " has a dimension of 0");
    if (!places_.try_emplace(entry.name, tensors_.size()).second) return invalid(what + " is in another file too");
    StoredTensor& tensor = tensors_.emplace_back();
    shards_.push_back(shard.name);
    tensor.name = std::move(entry.name);
    tensor.matrix.type = kBlockTypes[entry.type];
    tensor.matrix.cols = entry.shape.empty() ? 1 : entry.shape.back();
    tensor.matrix.rows = static_cast<std::int64_t>(entry.elements) / tensor.matrix.cols;
    tensor.matrix.data = shard.data + entry.begin;
    tensor.shape = std::move(entry.shape);
  }
  size_ += shard.size;
  return {};
}

/// A tensor that a file holds and the index does not name is taken all the same, as transformers does.
Status SafetensorsModel::check_index(const Index& index) const {
  for (const auto& [name, file] : index) {
    const auto place = places_.find(name);
    if (place == places_.end() || shards_[place->second] != file) {
      return invalid("tensor " + namesake::quoted(name) + " is not in " + namesake::quoted(file) + ", where the index places it");
    }
  }
  return {};
}

Result<std::shared_ptr<SafetensorsModel>> SafetensorsModel::parse(std::string_view index_text,
                                                                  const std::vector<SafetensorsShard>& shards) try {
  Index index;
  if (!index_text.empty()) {
    const Result<JsonObject> json = JsonObject::parse(index_text, Code::model_invalid);
    if (!json.ok()) return json.status();
    Result<Index> read = read_index(json.value());
    if (!read.ok()) return read.status();
    index = read.take();
  }
  const std::shared_ptr<SafetensorsModel> model(new SafetensorsModel());
  for (const SafetensorsShard& shard : shards) NAMESAKE_TRY(model->add(shard));
  NAMESAKE_TRY(model->check_index(index));
  return model;
} catch (const std::bad_alloc&) {
  return out_of_memory();
}

Result<std::shared_ptr<SafetensorsModel>> SafetensorsModel::open(const std::string& folder) try {
  Index index;
  std::set<std::string> files = {kWholeFile};
  if (!is_there(folder + "/" + kWholeFile)) {
    const std::string path = folder + "/" + kIndexFile;
    if (!is_there(path)) {
      return Status::error(Code::model_unknown_format, folder + ": has neither " + kWholeFile + " nor " + kIndexFile);
    }
    const Result<JsonObject> json = JsonObject::read(path, Code::model_unreadable, Code::model_invalid);
    if (!json.ok()) return json.status();
    Result<Index> read = read_index(json.value());
    if (!read.ok()) return Status::error(read.status().code, path + ": " + read.status().message);
    index = read.take();
    Result<std::set<std::string>> named = files_of(index);
    if (!named.ok()) return Status::error(named.status().code, path + ": " + named.status().message);
    files = named.take();
  }
  const std::shared_ptr<SafetensorsModel> model(new SafetensorsModel());
  for (const std::string& file : files) {
    Result<MappedFile> mapping = MappedFile::open(folder + "/" + file, Code::model_unreadable);
    if (!mapping.ok()) return mapping.status();
    model->mappings_.push_back(mapping.take());
    const MappedFile& mapped = model->mappings_.back();
    if (Status status = model->add({file, mapped.data(), mapped.size()}); !status.ok()) {
      return Status::error(status.code, folder + "/" + status.message);
    }
  }
  if (Status status = model->check_index(index); !status.ok()) return Status::error(status.code, folder + ": " + status.message);
  return model;
} catch (const std::bad_alloc&) {
  return out_of_memory();
}

const StoredTensor* SafetensorsModel::tensor(std::string_view name) const {
  const auto found = places_.find(name);
  return found == places_.end() ? nullptr : &tensors_[found->second];
}

void SafetensorsModel::release_pages(const Matrix& matrix) const {
  // Each leaves alone what is not its own.
  const auto bytes = static_cast<std::size_t>(matrix.rows * row_bytes(matrix.type, matrix.cols));
  for (const MappedFile& mapping : mappings_) mapping.release_pages(matrix.data, bytes);
}

bool is_folder(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::is_directory(native_path(path), ignored);
}

}  // namespace namesake
