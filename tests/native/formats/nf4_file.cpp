// Nf4File: what is written is what is mapped; anything else than exactly that is refused.
#include "formats/nf4_file.h"

#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "doctest/doctest.h"
#include "formats/mapped_file.h"
#include "formats/temporary_folder.h"

namespace namesake {
namespace {

using test::TemporaryFolder;

constexpr std::uint64_t kKey = 0x0123456789abcdef;

std::vector<Nf4Matrix> some_matrices() {
  std::mt19937 random(7);
  std::normal_distribution<float> normal(0, 0.02f);
  std::vector<Nf4Matrix> matrices;
  for (const Nf4Shape& shape : {Nf4Shape{3, 64}, Nf4Shape{300, 64}, Nf4Shape{2, 192}}) {
    std::vector<float> values(static_cast<std::size_t>(shape.rows * shape.cols));
    for (float& value : values) value = normal(random);
    Nf4Matrix matrix;
    REQUIRE(quantize_nf4(shape, [&](std::int64_t r, float* out) { std::copy_n(values.data() + r * shape.cols, shape.cols, out); }, 1, matrix));
    matrices.push_back(std::move(matrix));
  }
  return matrices;
}

std::vector<Nf4Shape> shapes_of(const std::vector<Nf4Matrix>& matrices) {
  std::vector<Nf4Shape> shapes;
  for (const Nf4Matrix& matrix : matrices) shapes.push_back(matrix.shape);
  return shapes;
}

void write(const std::string& path, const std::vector<Nf4Matrix>& matrices) {
  Result<Nf4FileWriter> writer = Nf4FileWriter::create(path, kKey, shapes_of(matrices));
  REQUIRE(writer.ok());
  for (const Nf4Matrix& matrix : matrices) REQUIRE(writer.value().add(matrix).ok());
  REQUIRE(writer.value().commit().ok());
}

/// Parses a copy of exactly these bytes, so that sanitizers see what is read behind them.
Code parse(const std::string& bytes, const std::vector<Nf4Shape>& shapes, std::uint64_t key = kKey) {
  const std::vector<char> exact(bytes.begin(), bytes.end());
  return parse_nf4_file(reinterpret_cast<const std::byte*>(exact.data()), exact.size(), key, shapes).status().code;
}

}  // namespace

TEST_CASE("nf4 file: round trip through a mapping, and nothing but the file is left") {
  const TemporaryFolder folder;
  const std::vector<Nf4Matrix> matrices = some_matrices();
  write(folder / "a.bin", matrices);
  CHECK(folder.names() == std::vector<std::string>{"a.bin"});
  const Result<MappedFile> mapped = MappedFile::open(folder / "a.bin", Code::model_unreadable);
  REQUIRE(mapped.ok());
  CHECK(mapped.value().size() == nf4_file_size(shapes_of(matrices)));
  const auto parsed = parse_nf4_file(mapped.value().data(), mapped.value().size(), kKey, shapes_of(matrices));
  REQUIRE_MESSAGE(parsed.ok(), parsed.status().message);
  for (std::size_t i = 0; i < matrices.size(); ++i) {
    const Nf4FileMatrix& read = parsed.value()[i];
    CHECK(std::memcmp(read.codes, matrices[i].codes.data(), matrices[i].codes.size()) == 0);
    CHECK(std::memcmp(read.scales.absmax, matrices[i].absmax.data(), matrices[i].absmax.size()) == 0);
    CHECK(std::memcmp(read.scales.nested, matrices[i].nested.data(), matrices[i].nested.size() * sizeof(float)) == 0);
    CHECK(read.scales.offset == matrices[i].offset);
    CHECK(reinterpret_cast<std::uintptr_t>(read.codes) % 64 == 0);
  }
}

TEST_CASE("nf4 file: every turned bit, every shorter or longer file, another key and other shapes are refused") {
  const TemporaryFolder folder;
  const std::vector<Nf4Matrix> matrices = some_matrices();
  write(folder / "a.bin", matrices);
  const std::string whole = test::read_text(folder / "a.bin");
  std::vector<Nf4Shape> shapes = shapes_of(matrices);
  CHECK(parse(whole, shapes) == Code::ok);
  for (std::size_t at = 0; at < whole.size(); at += at < 200 ? 1 : 37) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << at % 8));
    CHECK(parse(damaged, shapes) == Code::model_invalid);
  }
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{63}, std::size_t{64}, std::size_t{128}, whole.size() - 64, whole.size() - 1}) {
    CHECK(parse(whole.substr(0, size), shapes) == Code::model_invalid);
  }
  CHECK(parse(whole + '\0', shapes) == Code::model_invalid);
  CHECK(parse(whole, shapes, kKey + 1) == Code::model_invalid);
  std::swap(shapes[0], shapes[1]);  // as many bytes: only whoever made the key knows
  CHECK(parse(whole, shapes) == Code::ok);
  shapes.pop_back();
  CHECK(parse(whole, shapes) == Code::model_invalid);
  CHECK(parse(whole, {}) == Code::model_invalid);
}

TEST_CASE("nf4 file: scales that are not finite are refused, whoever wrote them with a right checksum") {
  const TemporaryFolder folder;
  const auto refuses = [&](auto change) {
    std::vector<Nf4Matrix> matrices = some_matrices();
    change(matrices.back());
    write(folder / "a.bin", matrices);
    return parse(test::read_text(folder / "a.bin"), shapes_of(matrices)) == Code::model_invalid;
  };
  CHECK(!refuses([](Nf4Matrix&) {}));
  CHECK(refuses([](Nf4Matrix& matrix) { matrix.offset = std::numeric_limits<float>::quiet_NaN(); }));
  CHECK(refuses([](Nf4Matrix& matrix) { matrix.nested.back() = std::numeric_limits<float>::infinity(); }));
}

TEST_CASE("nf4 file: without commit nothing is there, and a folder that is none refuses it") {
  const TemporaryFolder folder;
  const std::vector<Nf4Matrix> matrices = some_matrices();
  {
    Result<Nf4FileWriter> writer = Nf4FileWriter::create(folder / "a.bin", kKey, shapes_of(matrices));
    REQUIRE(writer.ok());
    REQUIRE(writer.value().add(matrices[0]).ok());
  }
  CHECK(folder.names().empty());
  CHECK(Nf4FileWriter::create(folder / "none/a.bin", kKey, shapes_of(matrices)).status().code == Code::disk_unwritable);
}

}  // namespace namesake
