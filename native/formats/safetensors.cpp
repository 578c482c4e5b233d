#include "formats/safetensors.h"

#include <cstring>
#include <iterator>
#include <new>
#include <string_view>
#include <utility>

#include "formats/atomic_file.h"
#include "formats/blocks.h"
#include "formats/mapped_file.h"
#include "formats/safetensors_directory.h"
#include "formats/utf8.h"

namespace namesake {
namespace {

constexpr std::uint64_t kLengthBytes = 8;

template <BlockType type>
bool decode_floats(const std::byte* in, std::size_t count, float* out) {
  block_format(type).decode(in, static_cast<std::int64_t>(count), out);
  return true;
}

template <class Integer>
bool decode_integers(const std::byte* in, std::size_t count, float* out) {
  for (std::size_t i = 0; i < count; ++i) {
    Integer value;
    std::memcpy(&value, in + i * sizeof value, sizeof value);
    constexpr std::int64_t kMost = 1 << 24;
    if (std::int64_t{value} > kMost || std::int64_t{value} < -kMost) return false;
    out[i] = static_cast<float>(value);
  }
  return true;
}

constexpr SafetensorsType kTypes[] = {{"F32", 4}, {"F16", 2}, {"BF16", 2}, {"U8", 1}, {"I32", 4}, {"I64", 8}};

/// How `count` values of each of kTypes become f32; false if one has no exact f32.
constexpr bool (*kDecode[])(const std::byte* in, std::size_t count, float* out) = {
    decode_floats<BlockType::f32>, decode_floats<BlockType::f16>,  decode_floats<BlockType::bf16>,
    decode_integers<std::uint8_t>, decode_integers<std::int32_t>, decode_integers<std::int64_t>};
static_assert(std::size(kTypes) == std::size(kDecode));

constexpr SafetensorsRules kRules = {kTypes, Code::adapter_invalid, Code::adapter_invalid, Code::adapter_invalid};

Result<SafetensorsFile> parse_unguarded(const std::byte* data, std::size_t size) {
  Result<SafetensorsDirectory> directory = read_safetensors_directory(data, size, kRules);
  if (!directory.ok()) return directory.status();
  SafetensorsFile file;
  file.metadata = std::move(directory.value().metadata);
  for (SafetensorsEntry& entry : directory.value().entries) {
    TensorRead& tensor = file.tensors[entry.name];
    tensor.shape = std::move(entry.shape);
    tensor.data.resize(static_cast<std::size_t>(entry.elements));
    if (!tensor.data.empty() && !kDecode[entry.type](data + entry.begin, tensor.data.size(), tensor.data.data())) {
      return Status::error(Code::adapter_invalid, "tensor " + quoted(entry.name) + " has integers beyond 2^24");
    }
  }
  return file;
}

/// A JSON string; names and metadata are ours or came through the parser, so what is not UTF-8 is refused by the caller.
void append_json_string(std::string& out, std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  for (const char c : text) {
    const unsigned byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (byte < 0x20) {
      out += "\\u00";
      out += {kHex[byte >> 4], kHex[byte & 15]};
    } else {
      out += c;
    }
  }
  out += '"';
}

/// Values of a shape, false when their bytes do not fit into 63 bits or a dimension is negative.
bool count_elements(const std::vector<std::int64_t>& shape, std::uint64_t& elements) {
  elements = 1;
  for (const std::int64_t dim : shape) {
    if (dim < 0) return false;
    if (elements != 0 && static_cast<std::uint64_t>(dim) > (std::uint64_t{1} << 56) / elements) return false;
    elements *= static_cast<std::uint64_t>(dim);
  }
  return true;
}

std::size_t value_bytes(const TensorToWrite& tensor) { return tensor.bytes ? 1 : sizeof(float); }

/// The header's JSON, padded with spaces so that the data begins at a multiple of 8.
Result<std::string> make_header(const std::vector<TensorToWrite>& tensors, const std::map<std::string, std::string>& metadata) {
  std::string json = "{";
  const auto separate = [&] {
    if (json.size() > 1) json += ',';
  };
  if (!metadata.empty()) {
    json += "\"__metadata__\":{";
    for (const auto& [key, value] : metadata) {
      if (!is_utf8(key) || !is_utf8(value)) return Status::error(Code::internal, "safetensors metadata is not UTF-8");
      if (json.back() != '{') json += ',';
      append_json_string(json, key);
      json += ':';
      append_json_string(json, value);
    }
    json += '}';
  }
  std::uint64_t position = 0;
  for (const TensorToWrite& tensor : tensors) {
    std::uint64_t elements = 0;
    if (!is_utf8(tensor.name) || !count_elements(tensor.shape, elements)) {
      return Status::error(Code::internal, "safetensors cannot hold tensor " + quoted(tensor.name));
    }
    separate();
    append_json_string(json, tensor.name);
    json += tensor.bytes ? ":{\"dtype\":\"U8\",\"shape\":[" : ":{\"dtype\":\"F32\",\"shape\":[";
    for (std::size_t d = 0; d < tensor.shape.size(); ++d) {
      if (d > 0) json += ',';
      json += std::to_string(tensor.shape[d]);
    }
    json += "],\"data_offsets\":[" + std::to_string(position);
    position += elements * value_bytes(tensor);
    json += "," + std::to_string(position) + "]}";
  }
  json += '}';
  json.append((8 - json.size() % 8) % 8, ' ');
  return json;
}

}  // namespace

Result<SafetensorsFile> parse_safetensors(const std::byte* data, std::size_t size) try {
  return parse_unguarded(data, size);
} catch (const std::bad_alloc&) {
  return Status::error(Code::memory_insufficient, "not enough memory for " + std::to_string(size) + " bytes of safetensors");
}

Result<SafetensorsFile> read_safetensors(const std::string& path) {
  const Result<MappedFile> mapping = MappedFile::open(path, Code::adapter_unreadable);
  if (!mapping.ok()) return mapping.status();
  Result<SafetensorsFile> file = parse_safetensors(mapping.value().data(), mapping.value().size());
  if (!file.ok()) return Status::error(file.status().code, path + ": " + file.status().message);
  return file;
}

Status write_safetensors(const std::string& path, const std::vector<TensorToWrite>& tensors,
                         const std::map<std::string, std::string>& metadata) {
  const Result<std::string> header = make_header(tensors, metadata);
  if (!header.ok()) return header.status();
  const std::uint64_t header_bytes = header.value().size();
  Result<AtomicFile> file = AtomicFile::create(path);
  if (!file.ok()) return file.status();
  NAMESAKE_TRY(file.value().write(&header_bytes, kLengthBytes));
  NAMESAKE_TRY(file.value().write(header.value().data(), header.value().size()));
  std::vector<std::byte> values;
  for (const TensorToWrite& tensor : tensors) {
    std::uint64_t elements = 0;
    count_elements(tensor.shape, elements);
    values.resize(static_cast<std::size_t>(elements) * value_bytes(tensor));
    if (values.empty()) continue;
    NAMESAKE_TRY(tensor.read(values.data()));
    NAMESAKE_TRY(file.value().write(values.data(), values.size()));
  }
  return file.value().commit();
}

}  // namespace namesake
