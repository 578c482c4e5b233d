#include "formats/gguf.h"

#include <new>
#include <utility>

#include "formats/gguf_directory.h"
#include "formats/mapped_file.h"

namespace namesake {

struct GgufFile::Impl {
  MappedFile mapping;
  std::uint64_t size = 0;
  GgufDirectory directory;
};

GgufFile::GgufFile() : impl_(std::make_unique<Impl>()) {}
GgufFile::~GgufFile() = default;

Result<std::shared_ptr<GgufFile>> GgufFile::parse(const std::byte* data, std::size_t size) try {
  Result<GgufDirectory> directory = read_gguf_directory(data, size);
  if (!directory.ok()) return directory.status();
  std::shared_ptr<GgufFile> file(new GgufFile());
  file->impl_->size = size;
  file->impl_->directory = directory.take();
  return file;
} catch (const std::bad_alloc&) {
  return Status::error(Code::memory_insufficient, "not enough memory for the directory of a GGUF file");
}

Result<std::shared_ptr<GgufFile>> GgufFile::open(const std::string& path) {
  Result<MappedFile> mapping = MappedFile::open(path, Code::model_unreadable);
  if (!mapping.ok()) return mapping.status();
  Result<std::shared_ptr<GgufFile>> file = parse(mapping.value().data(), mapping.value().size());
  if (!file.ok()) return Status::error(file.status().code, path + ": " + file.status().message);
  file.value()->impl_->mapping = mapping.take();
  return file;
}

std::uint32_t GgufFile::version() const { return impl_->directory.version; }
std::uint64_t GgufFile::file_size() const { return impl_->size; }
const std::map<std::string, GgufValue, std::less<>>& GgufFile::metadata() const { return impl_->directory.metadata; }
const std::vector<StoredTensor>& GgufFile::tensors() const { return impl_->directory.tensors; }

const StoredTensor* GgufFile::tensor(std::string_view name) const {
  const auto found = impl_->directory.index.find(name);
  return found == impl_->directory.index.end() ? nullptr : &impl_->directory.tensors[found->second];
}

void GgufFile::release_pages(const Matrix& matrix) const {
  impl_->mapping.release_pages(matrix.data, static_cast<std::size_t>(matrix.rows * row_bytes(matrix.type, matrix.cols)));
}

namespace {

/// The value at `key` if it is there and of type T, else nullptr.
template <class T>
const T* find(const std::map<std::string, GgufValue, std::less<>>& metadata, std::string_view key) {
  const auto found = metadata.find(key);
  return found == metadata.end() ? nullptr : std::get_if<T>(&found->second.value);
}

template <class T>
bool get(const std::map<std::string, GgufValue, std::less<>>& metadata, std::string_view key, T& out) {
  const T* value = find<T>(metadata, key);
  if (value == nullptr) return false;
  out = *value;
  return true;
}

}  // namespace

bool GgufFile::get_u64(std::string_view key, std::uint64_t& out) const {
  if (get<std::uint64_t>(metadata(), key, out)) return true;
  const std::int64_t* value = find<std::int64_t>(metadata(), key);
  if (value == nullptr || *value < 0) return false;
  out = static_cast<std::uint64_t>(*value);
  return true;
}

bool GgufFile::get_f64(std::string_view key, double& out) const { return get(metadata(), key, out); }
bool GgufFile::get_bool(std::string_view key, bool& out) const { return get(metadata(), key, out); }
bool GgufFile::get_string(std::string_view key, std::string& out) const { return get(metadata(), key, out); }

}  // namespace namesake
