#include "engine/nf4_cache.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

#include "formats/checksum.h"
#include "formats/native_path.h"

namespace namesake {

namespace {

constexpr std::int64_t kSample = 4096;  // a page

template <class T>
void add_value(Checksum& checksum, T value) {
  checksum.add(&value, sizeof value);
}

/// Beginning, middle and end of a tensor's bytes.
void add_samples(Checksum& checksum, const Matrix& matrix) {
  const std::int64_t bytes = matrix.rows * row_bytes(matrix.type, matrix.cols), size = std::min(bytes, kSample);
  for (const std::int64_t from : {std::int64_t{0}, (bytes - size) / 2, bytes - size}) {
    checksum.add(matrix.data + from, static_cast<std::size_t>(size));
  }
}

/// Name, size and time of a file, where the system tells them.
void add_file(Checksum& checksum, const std::filesystem::path& path) {
  const std::u8string name = path.filename().u8string();
  std::error_code error;
  add_value(checksum, name.size());
  checksum.add(name.data(), name.size());
  add_value(checksum, std::filesystem::file_size(path, error));
  add_value(checksum, std::filesystem::last_write_time(path, error).time_since_epoch().count());
}

/// The file, or the weights of a folder in the order of their names.
void add_files(Checksum& checksum, const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::is_directory(path, error)) return add_file(checksum, path);
  std::vector<std::filesystem::path> files;
  for (auto at = std::filesystem::directory_iterator(path, error); at != std::filesystem::directory_iterator(); at.increment(error)) {
    if (at->path().extension() == ".safetensors") files.push_back(at->path());
  }
  std::sort(files.begin(), files.end());
  for (const std::filesystem::path& file : files) add_file(checksum, file);
}

}  // namespace

std::uint64_t nf4_source_key(const WeightFile& file, const std::string& path) {
  Checksum checksum;
  add_files(checksum, native_path(path));
  add_value(checksum, file.file_size());
  for (const StoredTensor& tensor : file.tensors()) {
    add_value(checksum, tensor.name.size());
    checksum.add(tensor.name.data(), tensor.name.size());
    add_value(checksum, tensor.shape.size());
    for (const std::int64_t size : tensor.shape) add_value(checksum, size);
    add_value(checksum, tensor.matrix.type);
    add_samples(checksum, tensor.matrix);
  }
  return checksum.value();
}

Nf4Cache::Nf4Cache(const WeightFile& file, const std::string& path, const std::string& folder, std::vector<Nf4Shape> shapes)
    : key_(nf4_source_key(file, path)), shapes_(std::move(shapes)) {
  if (folder.empty() || shapes_.empty()) return;
  std::array<char, 48> name{};
  std::snprintf(name.data(), name.size(), "/namesake-nf4-%016llx.bin", static_cast<unsigned long long>(key_));
  path_ = folder + name.data();
}

const std::vector<Nf4FileMatrix>& Nf4Cache::open() {
  if (path_.empty()) return matrices_;
  Result<MappedFile> mapped = MappedFile::open(path_, Code::model_unreadable);
  if (!mapped.ok()) return matrices_;
  Result<std::vector<Nf4FileMatrix>> parsed = parse_nf4_file(mapped.value().data(), mapped.value().size(), key_, shapes_);
  if (!parsed.ok()) return matrices_;
  mapping_ = mapped.take();
  matrices_ = parsed.take();
  return matrices_;
}

void Nf4Cache::release_pages(std::size_t index) const {
  const Nf4FileMatrix& matrix = matrices_[index];
  mapping_.release_pages(matrix.codes, static_cast<std::size_t>(shapes_[index].code_bytes()));
  mapping_.release_pages(reinterpret_cast<const std::byte*>(matrix.scales.absmax), static_cast<std::size_t>(shapes_[index].blocks()));
}

void Nf4Cache::begin() {
  if (path_.empty()) return;
  std::error_code ignored;  // where the folder cannot be made, no file can
  std::filesystem::create_directories(native_path(path_).parent_path(), ignored);
  Result<Nf4FileWriter> writer = Nf4FileWriter::create(path_, key_, shapes_);
  if (writer.ok()) writer_.emplace(writer.take());
}

void Nf4Cache::add(const Nf4Matrix& matrix) {
  if (writer_ && !writer_->add(matrix).ok()) writer_.reset();
}

void Nf4Cache::finish() {
  if (writer_ && !writer_->commit().ok()) writer_.reset();
  writer_.reset();
}

}  // namespace namesake
