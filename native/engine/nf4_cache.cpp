#include "engine/nf4_cache.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

#include "formats/checksum.h"

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

std::filesystem::path path_of(const std::string& utf8) { return std::filesystem::path(std::u8string(utf8.begin(), utf8.end())); }

std::string text_of(const std::filesystem::path& path) {
  const std::u8string utf8 = path.u8string();
  return std::string(utf8.begin(), utf8.end());
}

}  // namespace

std::uint64_t nf4_source_key(const WeightFile& file) {
  Checksum checksum;
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
    : key_(nf4_source_key(file)), shapes_(std::move(shapes)) {
  std::array<char, 48> name{};
  std::snprintf(name.data(), name.size(), "namesake-nf4-%016llx.bin", static_cast<unsigned long long>(key_));
  std::error_code error;
  const std::filesystem::path model = path_of(path);
  places_.push_back(text_of((std::filesystem::is_directory(model, error) ? model : model.parent_path()) / name.data()));
  if (!folder.empty()) places_.push_back(text_of(path_of(folder) / name.data()));
}

const std::vector<Nf4FileMatrix>& Nf4Cache::open() {
  for (const std::string& place : places_) {
    Result<MappedFile> mapped = MappedFile::open(place, Code::model_unreadable);
    if (!mapped.ok()) continue;
    Result<std::vector<Nf4FileMatrix>> parsed = parse_nf4_file(mapped.value().data(), mapped.value().size(), key_, shapes_);
    if (!parsed.ok()) continue;
    mapping_ = mapped.take();
    matrices_ = parsed.take();
    break;
  }
  return matrices_;
}

void Nf4Cache::begin() {
  for (const std::string& place : places_) {
    std::error_code error;
    if (place != places_.front()) std::filesystem::create_directories(path_of(place).parent_path(), error);
    Result<Nf4FileWriter> writer = Nf4FileWriter::create(place, key_, shapes_);
    if (!writer.ok()) continue;
    writer_.emplace(writer.take());
    return;
  }
}

void Nf4Cache::add(const Nf4Matrix& matrix) {
  if (writer_ && !writer_->add(matrix).ok()) writer_.reset();
}

void Nf4Cache::finish() {
  if (writer_ && !writer_->commit().ok()) writer_.reset();
  writer_.reset();
}

}  // namespace namesake
