// GgufBuilder: assembles a GGUF file in memory byte by byte, right or wrong on purpose.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "namesake/status.h"

namespace namesake::test {

class GgufBuilder {
 public:
  // Value types of the format.
  enum Type : std::uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, string, array, u64, i64, f64 };

  std::uint32_t version = 3;
  std::uint64_t alignment = 32;   ///< of the data that build() lays out; pair("general.alignment", …) is the file's own claim

  /// One metadata pair whose value is given as bytes.
  GgufBuilder& pair(std::string_view key, Type type, const std::vector<std::byte>& value) {
    append_string(pairs_, key);
    append(pairs_, static_cast<std::uint32_t>(type));
    pairs_.insert(pairs_.end(), value.begin(), value.end());
    ++pair_count_;
    return *this;
  }
  template <class T>
  GgufBuilder& pair(std::string_view key, Type type, T value) {
    return pair(key, type, bytes_of(value));
  }
  GgufBuilder& text(std::string_view key, std::string_view value) { return pair(key, string, string_bytes(value)); }

  /// One tensor of `bytes` zero bytes at `offset` of the data; only its entry, nothing checks that the two agree.
  GgufBuilder& tensor(std::string_view name, const std::vector<std::uint64_t>& dims, std::uint32_t type, std::uint64_t offset) {
    append_string(tensors_, name);
    append(tensors_, static_cast<std::uint32_t>(dims.size()));
    for (const std::uint64_t dim : dims) append(tensors_, dim);
    append(tensors_, type);
    append(tensors_, offset);
    ++tensor_count_;
    return *this;
  }

  /// The file, with `data_bytes` bytes of data (0, 1, 2, …) after the padding.
  std::vector<std::byte> build(std::size_t data_bytes = 0) const {
    std::vector<std::byte> file = bytes_of(std::uint32_t{0x46554747});  // "GGUF"
    append(file, version);
    append(file, tensor_count_);
    append(file, pair_count_);
    file.insert(file.end(), pairs_.begin(), pairs_.end());
    file.insert(file.end(), tensors_.begin(), tensors_.end());
    if (data_bytes == 0) return file;
    file.resize((file.size() + alignment - 1) / alignment * alignment);
    for (std::size_t i = 0; i < data_bytes; ++i) file.push_back(static_cast<std::byte>(i));
    return file;
  }

  template <class T>
  static std::vector<std::byte> bytes_of(T value) {
    std::vector<std::byte> bytes(sizeof value);
    std::memcpy(bytes.data(), &value, sizeof value);
    return bytes;
  }
  template <class T>
  static void append(std::vector<std::byte>& out, T value) {
    const std::vector<std::byte> bytes = bytes_of(value);
    out.insert(out.end(), bytes.begin(), bytes.end());
  }
  static void append_string(std::vector<std::byte>& out, std::string_view text) {
    append(out, static_cast<std::uint64_t>(text.size()));
    for (const char c : text) out.push_back(static_cast<std::byte>(c));
  }
  static std::vector<std::byte> string_bytes(std::string_view text) {
    std::vector<std::byte> bytes;
    append_string(bytes, text);
    return bytes;
  }
  /// An array value: element type, count, then the elements' bytes.
  static std::vector<std::byte> array_bytes(Type type, std::uint64_t count, const std::vector<std::byte>& elements = {}) {
    std::vector<std::byte> bytes = bytes_of(static_cast<std::uint32_t>(type));
    append(bytes, count);
    bytes.insert(bytes.end(), elements.begin(), elements.end());
    return bytes;
  }

 private:
  std::vector<std::byte> pairs_, tensors_;
  std::uint64_t pair_count_ = 0, tensor_count_ = 0;
};

}  // namespace namesake::test
