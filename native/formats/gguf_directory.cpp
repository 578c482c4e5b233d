#include "formats/gguf_directory.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <string_view>
#include <utility>

#include "formats/utf8.h"

namespace namesake {
namespace {

Status invalid(std::string message) { return Status::error(Code::model_invalid, std::move(message)); }

/// a * b, false when it does not fit.
bool multiply(std::uint64_t a, std::uint64_t b, std::uint64_t& out) {
  if (a != 0 && b > std::numeric_limits<std::uint64_t>::max() / a) return false;
  out = a * b;
  return true;
}

/// a + b, false when it does not fit.
bool add(std::uint64_t a, std::uint64_t b, std::uint64_t& out) {
  if (b > std::numeric_limits<std::uint64_t>::max() - a) return false;
  out = a + b;
  return true;
}

/// Value types of the file (gguf_metadata_value_type).
enum ValueType : std::uint32_t {
  kU8, kI8, kU16, kI16, kU32, kI32, kF32, kBool, kString, kArray, kU64, kI64, kF64, kValueTypes
};

/// Least bytes that a value takes in the file: a string has its length, an array its type and count.
std::uint64_t least_bytes(std::uint32_t type) {
  static constexpr std::uint8_t kBytes[kValueTypes] = {1, 1, 2, 2, 4, 4, 4, 1, 8, 12, 8, 8, 8};
  return kBytes[type];
}

/// Names of ggml_type ids, for messages about formats that this engine does not read.
std::string ggml_type_name(std::uint32_t id) {
  static constexpr const char* kNames[] = {
      "f32", "f16", "q4_0", "q4_1", "", "", "q5_0", "q5_1", "q8_0", "q8_1", "q2_k", "q3_k", "q4_k", "q5_k",
      "q6_k", "q8_k", "iq2_xxs", "iq2_xs", "iq3_xxs", "iq1_s", "iq4_nl", "iq3_s", "iq2_s", "iq4_xs", "i8", "i16",
      "i32", "i64", "f64", "iq1_m", "bf16", "", "", "", "tq1_0", "tq2_0", "", "", "", "mxfp4"};
  const std::string number = "type " + std::to_string(id);
  if (id >= std::size(kNames) || kNames[id][0] == '\0') return number;
  return std::string(kNames[id]) + " (" + number + ")";
}

/// Walks the head of the file; no read goes past the end.
class DirectoryReader {
 public:
  DirectoryReader(const std::byte* data, std::size_t size) : data_(data), size_(size) {}

  Result<GgufDirectory> read() {
    NAMESAKE_TRY(read_header());
    NAMESAKE_TRY(read_pairs());
    NAMESAKE_TRY(read_tensors());
    NAMESAKE_TRY(place_tensors());
    return std::move(directory_);
  }

 private:
  std::uint64_t remaining() const { return size_ - position_; }

  Status truncated(const std::string& what) const {
    return Status::error(Code::model_truncated, "the file ends at byte " + std::to_string(size_) + ", inside " + what);
  }

  template <class T>
  Status number(T& out, const std::string& what) {
    if (remaining() < sizeof out) return truncated(what);
    std::memcpy(&out, data_ + position_, sizeof out);
    position_ += sizeof out;
    return {};
  }

  Status string(std::string& out, std::uint64_t limit, const std::string& what) {
    std::uint64_t length = 0;
    NAMESAKE_TRY(number(length, what));
    if (length > limit) return invalid(what + " is " + std::to_string(length) + " bytes long, more than " + std::to_string(limit));
    if (length > remaining()) return truncated(what);
    const std::string_view text(reinterpret_cast<const char*>(data_ + position_), static_cast<std::size_t>(length));
    if (!is_utf8(text)) return invalid(what + " is not UTF-8: " + quoted(text));
    out = text;
    position_ += static_cast<std::size_t>(length);
    return {};
  }

  Status read_header() {
    static constexpr char kMagic[4] = {'G', 'G', 'U', 'F'};
    const std::size_t present = std::min<std::size_t>(size_, sizeof kMagic);
    if (present != 0 && std::memcmp(data_, kMagic, present) != 0) {
      return Status::error(Code::model_unknown_format, "the file does not begin with GGUF");
    }
    if (present < sizeof kMagic) return truncated("the magic number");
    position_ = sizeof kMagic;
    NAMESAKE_TRY(number(directory_.version, "the version"));
    if (directory_.version != 2 && directory_.version != 3) {
      const bool swapped = (directory_.version & 0xffff) == 0 && directory_.version != 0;
      return Status::error(Code::model_unknown_format, swapped ? "the file is a big-endian GGUF"
                                                               : "GGUF version " + std::to_string(directory_.version) +
                                                                     "; 2 and 3 are known");
    }
    NAMESAKE_TRY(number(tensor_count_, "the tensor count"));
    NAMESAKE_TRY(number(pair_count_, "the metadata count"));
    if (tensor_count_ > kGgufMaxTensors) return invalid("the file claims " + std::to_string(tensor_count_) + " tensors");
    if (pair_count_ > kGgufMaxPairs) return invalid("the file claims " + std::to_string(pair_count_) + " metadata pairs");
    return {};
  }

  Status read_pairs() {
    for (std::uint64_t i = 0; i < pair_count_; ++i) {
      std::string key;
      NAMESAKE_TRY(string(key, kGgufMaxKeyBytes, "the key of metadata pair " + std::to_string(i)));
      if (key.empty()) return invalid("metadata pair " + std::to_string(i) + " has an empty key");
      const std::string what = "metadata " + quoted(key);
      std::uint32_t type = 0;
      NAMESAKE_TRY(number(type, what));
      GgufValue value;
      NAMESAKE_TRY(read_value(type, 0, what, value));
      if (!directory_.metadata.try_emplace(std::move(key), std::move(value)).second) return invalid(what + " appears twice");
    }
    return {};
  }

  template <class Stored, class Kept>
  Status scalar(const std::string& what, GgufValue& out) {
    Stored stored{};
    NAMESAKE_TRY(number(stored, what));
    out.value = static_cast<Kept>(stored);
    return {};
  }

  Status read_value(std::uint32_t type, int depth, const std::string& what, GgufValue& out) {
    switch (type) {
      case kU8: return scalar<std::uint8_t, std::uint64_t>(what, out);
      case kI8: return scalar<std::int8_t, std::int64_t>(what, out);
      case kU16: return scalar<std::uint16_t, std::uint64_t>(what, out);
      case kI16: return scalar<std::int16_t, std::int64_t>(what, out);
      case kU32: return scalar<std::uint32_t, std::uint64_t>(what, out);
      case kI32: return scalar<std::int32_t, std::int64_t>(what, out);
      case kU64: return scalar<std::uint64_t, std::uint64_t>(what, out);
      case kI64: return scalar<std::int64_t, std::int64_t>(what, out);
      case kF32: return scalar<float, double>(what, out);
      case kF64: return scalar<double, double>(what, out);
      case kBool: {
        std::uint8_t stored = 0;
        NAMESAKE_TRY(number(stored, what));
        if (stored > 1) return invalid(what + " is a bool of value " + std::to_string(stored));
        out.value = stored == 1;
        return {};
      }
      case kString: {
        std::string text;
        NAMESAKE_TRY(string(text, kGgufMaxStringBytes, what));
        out.value = std::move(text);
        return {};
      }
      case kArray: return read_array(depth + 1, what, out);
      default: return invalid(what + " has the unknown value type " + std::to_string(type));
    }
  }

  Status read_array(int depth, const std::string& what, GgufValue& out) {
    if (depth > kGgufMaxArrayDepth) return invalid(what + " nests arrays too deeply");
    std::uint32_t type = 0;
    std::uint64_t count = 0;
    NAMESAKE_TRY(number(type, what));
    NAMESAKE_TRY(number(count, what));
    if (type >= kValueTypes) return invalid(what + " has the unknown value type " + std::to_string(type));
    if (count > kGgufMaxArrayElements - array_elements_) {
      return invalid(what + " claims " + std::to_string(count) + " elements; all arrays together may have " +
                     std::to_string(kGgufMaxArrayElements));
    }
    array_elements_ += count;
    if (count * least_bytes(type) > remaining()) return truncated(what);  // before anything is allocated for it
    GgufArray array(static_cast<std::size_t>(count));
    for (GgufValue& element : array) NAMESAKE_TRY(read_value(type, depth, what, element));
    out.value = std::move(array);
    return {};
  }

  Status read_tensors() {
    static constexpr std::uint64_t kLeastBytes = 8 + 4 + 8 + 4 + 8;  // an empty name and one dimension
    if (tensor_count_ * kLeastBytes > remaining()) return truncated("the tensor list");
    directory_.tensors.reserve(static_cast<std::size_t>(tensor_count_));
    for (std::uint64_t i = 0; i < tensor_count_; ++i) {
      StoredTensor tensor;
      std::uint64_t offset = 0;
      NAMESAKE_TRY(string(tensor.name, kGgufMaxNameBytes, "the name of tensor " + std::to_string(i)));
      NAMESAKE_TRY(read_tensor(tensor, offset, "tensor " + quoted(tensor.name)));
      if (!directory_.index.try_emplace(tensor.name, directory_.tensors.size()).second) {
        return invalid("tensor " + quoted(tensor.name) + " appears twice");
      }
      directory_.tensors.push_back(std::move(tensor));
      offsets_.push_back(offset);
    }
    return {};
  }

  Status read_tensor(StoredTensor& tensor, std::uint64_t& offset, const std::string& what) {
    if (tensor.name.empty()) return invalid("a tensor has an empty name");
    std::uint32_t dims = 0;
    NAMESAKE_TRY(number(dims, what));
    if (dims < 1 || dims > kGgufMaxDims) return invalid(what + " has " + std::to_string(dims) + " dimensions");
    std::uint64_t elements = 1;
    for (std::uint32_t d = 0; d < dims; ++d) {
      std::uint64_t dim = 0;
      NAMESAKE_TRY(number(dim, what));
      if (dim == 0) return invalid(what + " has a dimension of 0");
      // 2^56 elements: any number of bytes per element still fits into 63 bits.
      if (!multiply(elements, dim, elements) || elements > std::uint64_t{1} << 56) return invalid(what + " is impossibly large");
      tensor.shape.insert(tensor.shape.begin(), static_cast<std::int64_t>(dim));  // the file has the innermost first
    }
    std::uint32_t type = 0;
    NAMESAKE_TRY(number(type, what));
    NAMESAKE_TRY(number(offset, what));
    const BlockFormat* format = block_format_of_gguf(type);
    if (format == nullptr) {
      return Status::error(Code::model_unknown_block,
                           what + " is stored as " + ggml_type_name(type) + ", which this engine does not read");
    }
    tensor.matrix.type = format->type;
    tensor.matrix.cols = tensor.shape.back();
    tensor.matrix.rows = static_cast<std::int64_t>(elements) / tensor.shape.back();
    if (tensor.matrix.cols % format->values_per_block != 0) {
      return invalid(what + " has rows of " + std::to_string(tensor.matrix.cols) + " values, not a multiple of " +
                     std::to_string(format->values_per_block) + " (" + format->name + ")");
    }
    return {};
  }

  Result<std::uint64_t> alignment() const {
    const auto found = directory_.metadata.find("general.alignment");
    if (found == directory_.metadata.end()) return std::uint64_t{32};
    const auto* value = std::get_if<std::uint64_t>(&found->second.value);
    // The format asks for a multiple of 8; ggml for a power of two.
    if (value == nullptr || *value < 8 || *value > kGgufMaxAlignment || (*value & (*value - 1)) != 0) {
      return invalid("general.alignment is not a power of two from 8 to " + std::to_string(kGgufMaxAlignment));
    }
    return *value;
  }

  /// Points every tensor at its data: aligned, inside the file, no two sharing a byte.
  Status place_tensors() {
    Result<std::uint64_t> alignment = this->alignment();
    if (!alignment.ok()) return alignment.status();
    const std::uint64_t mask = alignment.value() - 1;
    const std::uint64_t start = (position_ + mask) & ~mask;

    std::vector<StoredTensor>& tensors = directory_.tensors;
    std::vector<std::size_t> by_offset(tensors.size());
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      if ((offsets_[i] & mask) != 0) {
        return invalid("tensor " + quoted(tensors[i].name) + " at offset " + std::to_string(offsets_[i]) + " is not aligned to " +
                       std::to_string(alignment.value()));
      }
      by_offset[i] = i;
    }
    std::sort(by_offset.begin(), by_offset.end(), [&](std::size_t a, std::size_t b) { return offsets_[a] < offsets_[b]; });
    for (std::size_t i = 1; i < by_offset.size(); ++i) {
      const std::size_t before = by_offset[i - 1], after = by_offset[i];
      if (bytes(tensors[before]) > offsets_[after] - offsets_[before]) {
        return invalid("tensors " + quoted(tensors[before].name) + " and " + quoted(tensors[after].name) + " overlap");
      }
    }
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      StoredTensor& tensor = tensors[i];
      std::uint64_t begin = 0, end = 0;
      if (!add(start, offsets_[i], begin) || !add(begin, bytes(tensor), end) || end > size_) {
        return truncated("the data of tensor " + quoted(tensor.name));
      }
      tensor.matrix.data = data_ + static_cast<std::size_t>(begin);
    }
    return {};
  }

  static std::uint64_t bytes(const StoredTensor& tensor) {
    return static_cast<std::uint64_t>(tensor.matrix.rows) *
           static_cast<std::uint64_t>(row_bytes(tensor.matrix.type, tensor.matrix.cols));
  }

  const std::byte* data_;
  std::size_t size_;
  std::size_t position_ = 0;
  std::uint64_t tensor_count_ = 0;
  std::uint64_t pair_count_ = 0;
  std::uint64_t array_elements_ = 0;
  GgufDirectory directory_;
  std::vector<std::uint64_t> offsets_;  // of directory_.tensors, from the start of the data
};

}  // namespace

Result<GgufDirectory> read_gguf_directory(const std::byte* data, std::size_t size) {
  return DirectoryReader(data, size).read();
}

}  // namespace namesake
