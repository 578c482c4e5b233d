// Nf4Cache: quantised once and mapped from then on; nothing that lies there is trusted, and nothing about it fails an opening.
#include "engine/nf4_cache.h"

#include <cstring>
#include <filesystem>

#ifndef _WIN32
#include <sys/resource.h>

#include <csignal>
#endif

#include "engine/golden.h"
#include "engine/memory_plan.h"
#include "engine/model_source.h"
#include "formats/gguf.h"

namespace namesake::test {

namespace {

const std::string kModel = "tiny-qwen2.gguf";

/// A model in a folder of its own.
struct Place {
  TemporaryFolder folder;
  std::string model = folder / kModel;

  Place() { std::filesystem::copy(fixture(kModel), model); }

  /// Names of caches in `of`.
  static std::vector<std::string> caches(const TemporaryFolder& of) {
    std::vector<std::string> found;
    for (const std::string& name : of.names()) {
      if (name.starts_with("namesake-nf4-") && name.ends_with(".bin")) found.push_back(name);
    }
    return found;
  }
  std::string cache() const {
    const std::vector<std::string> found = caches(folder);
    REQUIRE(found.size() == 1);
    return folder / found[0];
  }
};

/// The bytes of all nf4 matrices of a model, opened on the reference backend.
std::string codes_of(const std::string& path, const std::string& cache_folder = "") {
  const auto model = must(Model::open(path, Precision::nf4, make_reference_backend(), cache_folder));
  std::string bytes;
  for (const LayerWeights& layer : model->weights().layers) {
    for (const Matrix* matrix : {&layer.q, &layer.k, &layer.v, &layer.o, &layer.gate, &layer.up, &layer.down}) {
      REQUIRE(matrix->type == BlockType::nf4);
      const std::int64_t blocks = matrix->rows * matrix->cols / 64;
      bytes.append(reinterpret_cast<const char*>(matrix->data), static_cast<std::size_t>(matrix->rows * matrix->cols / 2));
      bytes.append(reinterpret_cast<const char*>(matrix->nf4->absmax), static_cast<std::size_t>(blocks));
      bytes.append(reinterpret_cast<const char*>(matrix->nf4->nested), static_cast<std::size_t>((blocks + 255) / 256 * 4));
      bytes.append(reinterpret_cast<const char*>(&matrix->nf4->offset), sizeof(float));
    }
  }
  return bytes;
}

}  // namespace

TEST_CASE("nf4 cache: the second opening maps what the first one wrote") {
  const Place place;
  const std::string codes = codes_of(place.model);
  CHECK(place.folder.names().size() == 2);
  const std::string bytes = read_text(place.cache());
  CHECK(codes_of(place.model) == codes);
  CHECK(read_text(place.cache()) == bytes);

  // That it is read at all: other matrices under the right key and checksum are taken.
  const ModelSource source = must(open_source(place.model));
  const auto stored = must(find_weights(*source.file, source.config, source.naming));
  const std::vector<Nf4Shape> shapes = nf4_shapes(stored, source.config);
  auto writer = must(Nf4FileWriter::create(place.cache(), nf4_source_key(*source.file), shapes));
  for (const Nf4Shape& shape : shapes) {
    Nf4Matrix ones;
    REQUIRE(quantize_nf4(shape, [&](std::int64_t, float* out) { std::fill_n(out, shape.cols, 1.0f); }, 1, ones));
    must(writer.add(ones));
  }
  must(writer.commit());
  CHECK(codes_of(place.model) != codes);
}

TEST_CASE("nf4 cache: one that is damaged, shortened, empty, foreign or no file is made anew") {
  const Place place;
  const std::string codes = codes_of(place.model), path = place.cache(), whole = read_text(path);
  const auto check = [&](const std::string& bytes) {
    write_text(path, bytes);
    CHECK(codes_of(place.model) == codes);
    CHECK(read_text(path) == whole);
    CHECK(place.folder.names().size() == 2);
  };
  for (const std::size_t at : {std::size_t{0}, std::size_t{9}, std::size_t{17}, std::size_t{64}, whole.size() / 2, whole.size() - 64}) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 16);
    check(damaged);
  }
  check(whole.substr(0, whole.size() / 2));
  check(whole + whole);
  check("");
  check("no cache at all");
  std::filesystem::remove(path);
  std::filesystem::create_directory(path);
  CHECK(codes_of(place.model) == codes);
  CHECK(std::filesystem::is_directory(path));
  CHECK(place.folder.names().size() == 2);
}

TEST_CASE("nf4 cache: other weights under the same name, size and directory have another key") {
  const Place place;
  const std::string codes = codes_of(place.model);
  std::string bytes = read_text(place.model);
  const auto file = must(GgufFile::open(place.model));
  const auto key = nf4_source_key(*file);
  for (const char* name : {"blk.0.attn_q.weight", "blk.1.ffn_down.weight", "output_norm.weight"}) {
    CAPTURE(name);
    std::string other = bytes;
    const Matrix& matrix = file->tensor(name)->matrix;
    const auto at = other.find(std::string(reinterpret_cast<const char*>(matrix.data), 32));
    REQUIRE(at != std::string::npos);
    other[at] = static_cast<char>(other[at] ^ 1);
    write_text(place.folder / "other.gguf", other);
    CHECK(nf4_source_key(*must(GgufFile::open(place.folder / "other.gguf"))) != key);
  }
  std::filesystem::copy(place.model, place.folder / "same.gguf");
  CHECK(nf4_source_key(*must(GgufFile::open(place.folder / "same.gguf"))) == key);
  CHECK(codes_of(place.folder / "same.gguf") == codes);
  CHECK(Place::caches(place.folder).size() == 1);
}

TEST_CASE("nf4 cache: the caller's folder is taken, and made, where the model's own takes no file; without one there is no cache") {
  const Place place;
  const TemporaryFolder other;
  const std::string codes = codes_of(place.model), path = place.cache();
  std::filesystem::remove(path);
  std::filesystem::create_directories(path + ".tmp/in-the-way");  // whoever runs the test: no file can be begun here
  CHECK(codes_of(place.model) == codes);
  CHECK(Place::caches(place.folder).empty());
  CHECK(codes_of(place.model, other / "a/b") == codes);
  CHECK(Place::caches(place.folder).empty());
  REQUIRE(std::filesystem::exists(other / "a/b"));
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(other / "a/b")) files += entry.is_regular_file() ? 1 : 0;
  CHECK(files == 1);
  CHECK(codes_of(place.model, other / "a/b") == codes);
  CHECK(codes_of(place.model, place.model + "/no-folder") == codes);
}

#ifndef _WIN32
TEST_CASE("nf4 cache: a disk that takes no more bytes means no cache, not a failed opening") {
  const Place place;
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit small = before;
  small.rlim_cur = 4096;
  REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
  const std::string codes = codes_of(place.model);
  REQUIRE(setrlimit(RLIMIT_FSIZE, &before) == 0);
  std::signal(SIGXFSZ, handler);
  CHECK(place.folder.names() == std::vector<std::string>{kModel});
  CHECK(codes_of(place.model) == codes);
  CHECK(Place::caches(place.folder).size() == 1);
}
#endif

}  // namespace namesake::test
