#include "formats/safetensors.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>
#include <new>
#include <string_view>
#include <utility>

#include "formats/atomic_file.h"
#include "formats/blocks.h"
#include "formats/mapped_file.h"
#include "formats/utf8.h"
#include "yyjson.h"

namespace namesake {
namespace {

constexpr std::uint64_t kLengthBytes = 8;
constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;  // the limit of the reference implementation
constexpr std::size_t kMaxDims = 8;

Status invalid(std::string message) { return Status::error(Code::adapter_invalid, std::move(message)); }

using Document = std::unique_ptr<yyjson_doc, decltype(&yyjson_doc_free)>;

std::string_view text_of(yyjson_val* value) { return {yyjson_get_str(value), yyjson_get_len(value)}; }

/// One element type of the file, and how `count` of its values become f32; false if one has no exact f32.
struct Dtype {
  const char* name;
  std::uint64_t bytes;
  bool (*decode)(const std::byte* in, std::size_t count, float* out);
};

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

constexpr Dtype kDtypes[] = {
    {"F32", 4, decode_floats<BlockType::f32>},         {"F16", 2, decode_floats<BlockType::f16>},
    {"BF16", 2, decode_floats<BlockType::bf16>},       {"U8", 1, decode_integers<std::uint8_t>},
    {"I32", 4, decode_integers<std::int32_t>},         {"I64", 8, decode_integers<std::int64_t>},
};

/// One entry of the header, checked by itself.
struct Entry {
  std::string name;
  const Dtype* dtype = nullptr;
  std::vector<std::int64_t> shape;
  std::uint64_t elements = 1;
  std::uint64_t begin = 0, end = 0;  // in the data
};

const Dtype* find_dtype(std::string_view name) {
  const auto* found = std::find_if(std::begin(kDtypes), std::end(kDtypes), [&](const Dtype& d) { return name == d.name; });
  return found == std::end(kDtypes) ? nullptr : found;
}

Status read_shape(yyjson_val* shape, const std::string& what, Entry& entry) {
  if (!yyjson_is_arr(shape)) return invalid(what + " has no shape");
  if (yyjson_arr_size(shape) > kMaxDims) return invalid(what + " has too many dimensions");
  yyjson_val* dim;
  std::size_t i, count;
  yyjson_arr_foreach(shape, i, count, dim) {
    if (!yyjson_is_uint(dim)) return invalid(what + " has a dimension that is not a whole number");
    const std::uint64_t size = yyjson_get_uint(dim);
    // 2^56 elements of at most 8 bytes still fit into 63 bits.
    constexpr std::uint64_t kMost = std::uint64_t{1} << 56;
    if (size > kMost || (entry.elements != 0 && size > kMost / entry.elements)) return invalid(what + " is impossibly large");
    entry.elements *= size;
    entry.shape.push_back(static_cast<std::int64_t>(size));
  }
  return {};
}

Status read_entry(yyjson_val* key, yyjson_val* value, std::uint64_t data_bytes, Entry& entry) {
  entry.name = text_of(key);
  const std::string what = "tensor " + quoted(entry.name);
  if (!yyjson_is_obj(value)) return invalid(what + " is not an object");
  if (yyjson_obj_size(value) != 3) return invalid(what + " does not have exactly dtype, shape and data_offsets");
  yyjson_val* dtype = yyjson_obj_get(value, "dtype");
  if (!yyjson_is_str(dtype)) return invalid(what + " has no dtype");
  entry.dtype = find_dtype(text_of(dtype));
  if (entry.dtype == nullptr) return invalid(what + " has the unknown dtype " + quoted(text_of(dtype)));
  NAMESAKE_TRY(read_shape(yyjson_obj_get(value, "shape"), what, entry));

  yyjson_val* offsets = yyjson_obj_get(value, "data_offsets");
  yyjson_val* begin = yyjson_arr_get(offsets, 0);
  yyjson_val* end = yyjson_arr_get(offsets, 1);
  if (yyjson_arr_size(offsets) != 2 || !yyjson_is_uint(begin) || !yyjson_is_uint(end)) {
    return invalid(what + " has no data_offsets");
  }
  entry.begin = yyjson_get_uint(begin);
  entry.end = yyjson_get_uint(end);
  if (entry.begin > entry.end || entry.end > data_bytes) {
    return invalid(what + " lies at bytes " + std::to_string(entry.begin) + " to " + std::to_string(entry.end) + " of " +
                   std::to_string(data_bytes));
  }
  if (entry.end - entry.begin != entry.elements * entry.dtype->bytes) {
    return invalid(what + " has a shape that does not fit its " + std::to_string(entry.end - entry.begin) + " bytes");
  }
  return {};
}

Status read_metadata(yyjson_val* object, std::map<std::string, std::string>& metadata) {
  if (!yyjson_is_obj(object)) return invalid("__metadata__ is not an object");
  yyjson_val *key, *value;
  std::size_t i, count;
  yyjson_obj_foreach(object, i, count, key, value) {
    if (!yyjson_is_str(value)) return invalid("__metadata__ has a value that is not a string");
    if (!metadata.try_emplace(std::string(text_of(key)), text_of(value)).second) {
      return invalid("__metadata__ has " + quoted(text_of(key)) + " twice");
    }
  }
  return {};
}

/// The entries must fill the data one after the other: no gap, no overlap, nothing left over.
Status check_layout(std::vector<Entry>& entries, std::uint64_t data_bytes) {
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return std::pair(a.begin, a.end) < std::pair(b.begin, b.end); });
  std::uint64_t position = 0;
  for (const Entry& entry : entries) {
    if (entry.begin != position) {
      return invalid("tensor " + quoted(entry.name) + (entry.begin < position ? " overlaps another" : " comes after a gap"));
    }
    position = entry.end;
  }
  if (position != data_bytes) return invalid("the tensors take " + std::to_string(position) + " of " + std::to_string(data_bytes) + " bytes");
  return {};
}

Result<SafetensorsFile> parse_unguarded(const std::byte* data, std::size_t size) {
  if (size < kLengthBytes) return invalid("the file ends inside the header length");
  std::uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, data, kLengthBytes);
  if (header_bytes > kMaxHeaderBytes || header_bytes > size - kLengthBytes) {
    return invalid("the header claims " + std::to_string(header_bytes) + " bytes of a file of " + std::to_string(size));
  }
  const char* header = reinterpret_cast<const char*>(data + kLengthBytes);
  const std::byte* values = data + kLengthBytes + header_bytes;
  const std::uint64_t data_bytes = size - kLengthBytes - header_bytes;

  yyjson_read_err error;
  // The flags forbid nothing that strict JSON allows; the text is only read, the cast is the API's.
  const Document document(yyjson_read_opts(const_cast<char*>(header), static_cast<std::size_t>(header_bytes),
                                           YYJSON_READ_NOFLAG, nullptr, &error),
                          yyjson_doc_free);
  if (document == nullptr) {
    return invalid("the header is not JSON at byte " + std::to_string(error.pos) + ": " + error.msg);
  }
  yyjson_val* root = yyjson_doc_get_root(document.get());
  if (!yyjson_is_obj(root)) return invalid("the header is not a JSON object");

  SafetensorsFile file;
  std::vector<Entry> entries;
  yyjson_val *key, *value;
  std::size_t i, count;
  bool seen_metadata = false;
  yyjson_obj_foreach(root, i, count, key, value) {
    if (text_of(key) == "__metadata__") {
      if (std::exchange(seen_metadata, true)) return invalid("__metadata__ appears twice");
      NAMESAKE_TRY(read_metadata(value, file.metadata));
      continue;
    }
    Entry& entry = entries.emplace_back();
    NAMESAKE_TRY(read_entry(key, value, data_bytes, entry));
  }
  NAMESAKE_TRY(check_layout(entries, data_bytes));

  for (Entry& entry : entries) {
    const auto [place, added] = file.tensors.try_emplace(entry.name);
    if (!added) return invalid("tensor " + quoted(entry.name) + " appears twice");
    TensorRead& tensor = place->second;
    tensor.shape = std::move(entry.shape);
    tensor.data.resize(static_cast<std::size_t>(entry.elements));
    if (!tensor.data.empty() && !entry.dtype->decode(values + entry.begin, tensor.data.size(), tensor.data.data())) {
      return invalid("tensor " + quoted(entry.name) + " has integers beyond 2^24");
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
    json += ":{\"dtype\":\"F32\",\"shape\":[";
    for (std::size_t d = 0; d < tensor.shape.size(); ++d) {
      if (d > 0) json += ',';
      json += std::to_string(tensor.shape[d]);
    }
    json += "],\"data_offsets\":[" + std::to_string(position);
    position += elements * sizeof(float);
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
  for (const TensorToWrite& tensor : tensors) {
    std::uint64_t elements = 0;
    count_elements(tensor.shape, elements);
    NAMESAKE_TRY(file.value().write(tensor.data, static_cast<std::size_t>(elements) * sizeof(float)));
  }
  return file.value().commit();
}

}  // namespace namesake
