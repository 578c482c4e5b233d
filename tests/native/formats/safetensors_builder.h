// Writes safetensors files for tests: tensors of any type and bytes, and headers that lie.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

namespace namesake::test {

/// A file of this header and these bytes.
inline std::string safetensors_file(const std::string& header, const std::string& data) {
  const std::uint64_t length = header.size();
  std::string file(sizeof length, '\0');
  std::memcpy(file.data(), &length, sizeof length);
  return file + header + data;
}

inline std::string safetensors_entry(const std::string& name, const std::string& dtype, const std::vector<std::int64_t>& shape,
                                     std::size_t begin, std::size_t end) {
  std::string dims;
  for (const std::int64_t dim : shape) dims += (dims.empty() ? "" : ",") + std::to_string(dim);
  return "\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":[" + dims + "],\"data_offsets\":[" + std::to_string(begin) + "," +
         std::to_string(end) + "]}";
}

struct SafetensorsBuilder {
  std::string entries, data;
  std::size_t padding = 0;   ///< spaces behind the header beyond the next multiple of 8: 1 to 7 misalign every value

  SafetensorsBuilder& tensor(const std::string& name, const std::string& dtype, const std::vector<std::int64_t>& shape,
                             const std::string& bytes) {
    entries += (entries.empty() ? "" : ",") + safetensors_entry(name, dtype, shape, data.size(), data.size() + bytes.size());
    data += bytes;
    return *this;
  }

  std::string build() const {
    std::string header = "{" + entries + "}";
    header.append((8 - header.size() % 8) % 8 + padding, ' ');
    return safetensors_file(header, data);
  }
};

}  // namespace namesake::test
