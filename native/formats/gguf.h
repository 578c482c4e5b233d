// GGUF v2 and v3 reader: memory-mapped, every length checked against the file before it is used.
// Format: docs/gguf.md of ggml-org/ggml.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "formats/weight_file.h"
#include "namesake/status.h"

namespace namesake {

struct GgufValue;
using GgufArray = std::vector<GgufValue>;

/// One metadata value. Unsigned and signed integers of every width become u64 / i64, both floats become double.
struct GgufValue {
  std::variant<std::uint64_t, std::int64_t, double, bool, std::string, GgufArray> value;
};

/// An open file. The format lists a tensor's dimensions innermost first; here they are as in StoredTensor.
class GgufFile final : public WeightFile {
 public:
  /// Maps and checks the whole directory: magic, version, counts, strings (UTF-8), types, duplicate keys and tensors, alignment,
  /// overlap, bounds. model.unreadable | truncated | invalid | unknown_format | unknown_block.
  static Result<std::shared_ptr<GgufFile>> open(const std::string& path);
  /// The same over memory that the caller keeps (tests, fuzzing).
  static Result<std::shared_ptr<GgufFile>> parse(const std::byte* data, std::size_t size);

  ~GgufFile() override;
  GgufFile(const GgufFile&) = delete;
  GgufFile& operator=(const GgufFile&) = delete;

  std::uint32_t version() const;
  const std::map<std::string, GgufValue, std::less<>>& metadata() const;
  std::uint64_t file_size() const override;
  const std::vector<StoredTensor>& tensors() const override;
  const StoredTensor* tensor(std::string_view name) const override;
  /// Does nothing for memory that the caller keeps.
  void release_pages(const Matrix& matrix) const override;

  // Typed look-ups; false when the key is absent or of another type.
  bool get_u64(std::string_view key, std::uint64_t& out) const;   ///< accepts any non-negative integer type
  bool get_f64(std::string_view key, double& out) const;          ///< accepts floats only
  bool get_bool(std::string_view key, bool& out) const;
  bool get_string(std::string_view key, std::string& out) const;

 private:
  GgufFile();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace namesake
