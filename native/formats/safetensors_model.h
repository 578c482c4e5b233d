// SafetensorsModel: the weights of a folder in Hugging Face layout, memory-mapped: model.safetensors, or
// model.safetensors.index.json with the shards that it names (transformers, "Sharded checkpoints").
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "formats/mapped_file.h"
#include "formats/weight_file.h"
#include "namesake/status.h"

namespace namesake {

// Limits that no real model comes near.
inline constexpr std::size_t kMostShards = 4096;
inline constexpr std::size_t kMostSafetensorsTensors = std::size_t{1} << 18;
inline constexpr std::size_t kMostSafetensorsNameBytes = 256;

/// One safetensors file in memory.
struct SafetensorsShard {
  std::string name;   ///< of the file, as the index has it
  const std::byte* data = nullptr;
  std::size_t size = 0;
};

class SafetensorsModel final : public WeightFile {
 public:
  /// Maps and checks every file of the folder (UTF-8): one tensor, one place, in f32, f16 or bf16. Where model.safetensors is
  /// there, an index beside it is not looked at, as transformers does. A file may be a link to elsewhere (the folders of the
  /// Hugging Face cache are made of those), but the index can only name files of the folder itself.
  /// model.unknown_format (no such files) | unreadable (a shard is missing, no permission) | truncated | invalid | unknown_block.
  static Result<std::shared_ptr<SafetensorsModel>> open(const std::string& folder);
  /// The same over memory that the caller keeps (tests, fuzzing): `index` is the text of the index, empty for one file.
  static Result<std::shared_ptr<SafetensorsModel>> parse(std::string_view index, const std::vector<SafetensorsShard>& shards);

  std::uint64_t file_size() const override { return size_; }
  const std::vector<StoredTensor>& tensors() const override { return tensors_; }
  const StoredTensor* tensor(std::string_view name) const override;
  void release_pages(const Matrix& matrix) const override;

 private:
  SafetensorsModel() = default;
  Status add(const SafetensorsShard& shard);
  Status check_index(const std::map<std::string, std::string>& index) const;

  std::vector<MappedFile> mappings_;
  std::uint64_t size_ = 0;
  std::vector<StoredTensor> tensors_;                      // in the order of the files and of their values
  std::vector<std::string> shards_;                        // the file of each tensor
  std::map<std::string, std::size_t, std::less<>> places_; // name -> place in tensors_
};

/// Whether `path` (UTF-8) is a folder.
bool is_folder(const std::string& path);

}  // namespace namesake
