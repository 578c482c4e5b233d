#include "formats/safetensors_directory.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <set>
#include <string_view>
#include <utility>

#include "formats/utf8.h"
#include "yyjson.h"

namespace namesake {
namespace {

constexpr std::uint64_t kLengthBytes = 8;
constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;  // the limit of the reference implementation
constexpr std::size_t kMaxDims = 8;

using Document = std::unique_ptr<yyjson_doc, decltype(&yyjson_doc_free)>;

std::string_view text_of(yyjson_val* value) { return {yyjson_get_str(value), yyjson_get_len(value)}; }

class DirectoryReader {
 public:
  DirectoryReader(const std::byte* data, std::size_t size, const SafetensorsRules& rules)
      : data_(data), size_(size), rules_(rules) {}

  Result<SafetensorsDirectory> read() {
    if (size_ < kLengthBytes) return Status::error(rules_.truncated, "the file ends inside the header length");
    std::uint64_t header_bytes = 0;
    std::memcpy(&header_bytes, data_, kLengthBytes);
    const std::string claim = "the header claims " + std::to_string(header_bytes) + " bytes of a file of " + std::to_string(size_);
    if (header_bytes > kMaxHeaderBytes) return invalid(claim);
    if (header_bytes > size_ - kLengthBytes) return Status::error(rules_.truncated, claim);
    start_ = kLengthBytes + header_bytes;

    yyjson_read_err error;
    // The flags forbid nothing that strict JSON allows; the text is only read, the cast is the API's.
    const Document document(yyjson_read_opts(reinterpret_cast<char*>(const_cast<std::byte*>(data_ + kLengthBytes)),
                                             static_cast<std::size_t>(header_bytes), YYJSON_READ_NOFLAG, nullptr, &error),
                            yyjson_doc_free);
    if (document == nullptr) {
      return invalid("the header is not JSON at byte " + std::to_string(error.pos) + ": " + error.msg);
    }
    yyjson_val* root = yyjson_doc_get_root(document.get());
    if (!yyjson_is_obj(root)) return invalid("the header is not a JSON object");
    NAMESAKE_TRY(read_members(root));
    NAMESAKE_TRY(check_layout());
    return std::move(directory_);
  }

 private:
  Status invalid(std::string message) const { return Status::error(rules_.invalid, std::move(message)); }

  Status read_members(yyjson_val* root) {
    std::set<std::string_view> names;
    yyjson_val *key, *value;
    std::size_t i, count;
    yyjson_obj_foreach(root, i, count, key, value) {
      if (!names.insert(text_of(key)).second) {
        const bool metadata = text_of(key) == "__metadata__";
        return invalid(metadata ? "__metadata__ appears twice" : "tensor " + quoted(text_of(key)) + " appears twice");
      }
      if (text_of(key) == "__metadata__") {
        NAMESAKE_TRY(read_metadata(value));
      } else {
        NAMESAKE_TRY(read_entry(key, value, directory_.entries.emplace_back()));
      }
    }
    return {};
  }

  Status read_metadata(yyjson_val* object) {
    if (!yyjson_is_obj(object)) return invalid("__metadata__ is not an object");
    yyjson_val *key, *value;
    std::size_t i, count;
    yyjson_obj_foreach(object, i, count, key, value) {
      if (!yyjson_is_str(value)) return invalid("__metadata__ has a value that is not a string");
      if (!directory_.metadata.try_emplace(std::string(text_of(key)), text_of(value)).second) {
        return invalid("__metadata__ has " + quoted(text_of(key)) + " twice");
      }
    }
    return {};
  }

  Status read_shape(yyjson_val* shape, const std::string& what, SafetensorsEntry& entry) const {
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

  Status read_entry(yyjson_val* key, yyjson_val* value, SafetensorsEntry& entry) const {
    entry.name = text_of(key);
    const std::string what = "tensor " + quoted(entry.name);
    if (!yyjson_is_obj(value)) return invalid(what + " is not an object");
    if (yyjson_obj_size(value) != 3) return invalid(what + " does not have exactly dtype, shape and data_offsets");
    yyjson_val* dtype = yyjson_obj_get(value, "dtype");
    if (!yyjson_is_str(dtype)) return invalid(what + " has no dtype");
    NAMESAKE_TRY(read_shape(yyjson_obj_get(value, "shape"), what, entry));
    const auto type = std::find_if(rules_.types.begin(), rules_.types.end(),
                                   [&](const SafetensorsType& known) { return text_of(dtype) == known.name; });
    if (type == rules_.types.end()) {
      return Status::error(rules_.unknown_type, what + " is stored as " + quoted(text_of(dtype)) + ", which is not read here");
    }
    entry.type = static_cast<std::size_t>(type - rules_.types.begin());

    yyjson_val* offsets = yyjson_obj_get(value, "data_offsets");
    yyjson_val* begin = yyjson_arr_get(offsets, 0);
    yyjson_val* end = yyjson_arr_get(offsets, 1);
    if (yyjson_arr_size(offsets) != 2 || !yyjson_is_uint(begin) || !yyjson_is_uint(end)) {
      return invalid(what + " has no data_offsets");
    }
    entry.begin = yyjson_get_uint(begin);
    entry.end = yyjson_get_uint(end);
    if (entry.begin > entry.end || entry.end - entry.begin != entry.elements * type->bytes) {
      return invalid(what + " has a shape that does not fit its bytes " + std::to_string(entry.begin) + " to " +
                     std::to_string(entry.end));
    }
    return {};
  }

  /// The entries must fill the data one after the other: no gap, no overlap, nothing left over. Moves them from the start of the
  /// data to that of the file.
  Status check_layout() {
    const std::uint64_t data_bytes = size_ - start_;
    std::vector<SafetensorsEntry>& entries = directory_.entries;
    std::sort(entries.begin(), entries.end(), [](const SafetensorsEntry& a, const SafetensorsEntry& b) {
      return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
    });
    std::uint64_t position = 0;
    for (const SafetensorsEntry& entry : entries) {
      if (entry.begin != position) {
        return invalid("tensor " + quoted(entry.name) + (entry.begin < position ? " overlaps another" : " comes after a gap"));
      }
      position = entry.end;
    }
    const std::string taken = "the tensors take " + std::to_string(position) + " bytes, the file has " + std::to_string(data_bytes);
    if (position > data_bytes) return Status::error(rules_.truncated, taken);
    if (position < data_bytes) return invalid(taken);
    for (SafetensorsEntry& entry : entries) {
      entry.begin += start_;
      entry.end += start_;
    }
    return {};
  }

  const std::byte* data_;
  std::size_t size_;
  const SafetensorsRules& rules_;
  std::uint64_t start_ = 0;  // of the values
  SafetensorsDirectory directory_;
};

}  // namespace

Result<SafetensorsDirectory> read_safetensors_directory(const std::byte* data, std::size_t size, const SafetensorsRules& rules) {
  return DirectoryReader(data, size, rules).read();
}

}  // namespace namesake
