#include "formats/nf4_file.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <utility>

namespace namesake {

namespace {

constexpr std::size_t kAlignment = 64;
constexpr std::array<char, 8> kMagic = {'N', 'S', 'K', 'N', 'F', '4', 0, 0};
constexpr std::uint32_t kVersion = 1;

struct Header {
  std::array<char, 8> magic = kMagic;
  std::uint32_t version = kVersion;
  std::uint32_t matrices = 0;
  std::uint64_t key = 0;
  std::uint64_t size = 0;
  std::array<std::byte, 32> zeros{};
};
static_assert(sizeof(Header) == kAlignment);

std::uint64_t padded(std::uint64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

std::uint64_t code_bytes(const Nf4Shape& shape) { return padded(static_cast<std::uint64_t>(shape.code_bytes())); }
std::uint64_t absmax_bytes(const Nf4Shape& shape) { return padded(static_cast<std::uint64_t>(shape.blocks())); }
std::uint64_t nested_bytes(const Nf4Shape& shape) { return padded(static_cast<std::uint64_t>(shape.nested()) * sizeof(float)); }

Header header_of(std::uint64_t key, const std::vector<Nf4Shape>& shapes) {
  Header header;
  header.matrices = static_cast<std::uint32_t>(shapes.size());
  header.key = key;
  header.size = nf4_file_size(shapes);
  return header;
}

}  // namespace

std::uint64_t nf4_file_size(const std::vector<Nf4Shape>& shapes) {
  std::uint64_t size = 2 * kAlignment;
  for (const Nf4Shape& shape : shapes) size += kAlignment + code_bytes(shape) + absmax_bytes(shape) + nested_bytes(shape);
  return size;
}

Result<std::vector<Nf4FileMatrix>> parse_nf4_file(const std::byte* data, std::size_t size, std::uint64_t key,
                                                  const std::vector<Nf4Shape>& shapes) {
  const Header expected = header_of(key, shapes);
  if (size != expected.size || std::memcmp(data, &expected, sizeof expected) != 0) {
    return Status::error(Code::model_invalid, "not the quantised matrices of this model");
  }
  Checksum checksum;
  checksum.add(data, size - kAlignment);
  std::array<std::byte, kAlignment> end{};
  const std::uint64_t sum = checksum.value();
  std::memcpy(end.data(), &sum, sizeof sum);
  if (std::memcmp(data + size - kAlignment, end.data(), kAlignment) != 0) {
    return Status::error(Code::model_invalid, "quantised matrices that do not have their checksum");
  }
  std::vector<Nf4FileMatrix> matrices;
  matrices.reserve(shapes.size());
  const std::byte* at = data + kAlignment;
  for (const Nf4Shape& shape : shapes) {
    Nf4FileMatrix matrix;
    std::memcpy(&matrix.scales.offset, at, sizeof(float));
    matrix.codes = at + kAlignment;
    const std::byte* absmax = matrix.codes + code_bytes(shape);
    matrix.scales.absmax = reinterpret_cast<const std::uint8_t*>(absmax);
    matrix.scales.nested = reinterpret_cast<const float*>(absmax + absmax_bytes(shape));
    at = absmax + absmax_bytes(shape) + nested_bytes(shape);
    const float* nested = matrix.scales.nested;
    if (!std::isfinite(matrix.scales.offset) || !std::all_of(nested, nested + shape.nested(), [](float value) { return std::isfinite(value); })) {
      return Status::error(Code::model_invalid, "quantised matrices with scales that are not finite");
    }
    matrices.push_back(matrix);
  }
  return matrices;
}

Result<Nf4FileWriter> Nf4FileWriter::create(const std::string& path, std::uint64_t key, const std::vector<Nf4Shape>& shapes) {
  Result<AtomicFile> file = AtomicFile::create(path);
  if (!file.ok()) return file.status();
  Nf4FileWriter writer(file.take());
  const Header header = header_of(key, shapes);
  NAMESAKE_TRY(writer.section(&header, sizeof header));
  return writer;
}

Status Nf4FileWriter::section(const void* data, std::size_t size) {
  constexpr std::array<std::byte, kAlignment> zeros{};
  const std::size_t more = static_cast<std::size_t>(padded(size)) - size;
  checksum_.add(data, size);
  checksum_.add(zeros.data(), more);
  NAMESAKE_TRY(file_.write(data, size));
  return file_.write(zeros.data(), more);
}

Status Nf4FileWriter::add(const Nf4Matrix& matrix) {
  NAMESAKE_TRY(section(&matrix.offset, sizeof(float)));
  NAMESAKE_TRY(section(matrix.codes.data(), matrix.codes.size()));
  NAMESAKE_TRY(section(matrix.absmax.data(), matrix.absmax.size()));
  return section(matrix.nested.data(), matrix.nested.size() * sizeof(float));
}

Status Nf4FileWriter::commit() {
  const std::uint64_t sum = checksum_.value();
  NAMESAKE_TRY(section(&sum, sizeof sum));
  return file_.commit();
}

}  // namespace namesake
