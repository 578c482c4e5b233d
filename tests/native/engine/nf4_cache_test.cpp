// Nf4Cache: quantised once and mapped from then on; nothing that lies there is trusted, and nothing about it fails an opening.
#include "engine/nf4_cache.h"

#include <chrono>
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

/// A model in a folder of its own, and the folder that takes caches.
struct Place {
  TemporaryFolder folder, caches;
  std::string model = folder / kModel;
  std::string into = caches.path();

  Place() { std::filesystem::copy(fixture(kModel), model); }

  std::string cache() const {
    const std::vector<std::string> found = caches.names();
    REQUIRE(found.size() == 1);
    CHECK(found[0].starts_with("namesake-nf4-"));
    return caches / found[0];
  }
};

/// The bytes of all nf4 matrices of a model, opened on the reference backend.
std::string codes_of(const std::string& path, const std::string& cache_folder) {
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
  const std::string codes = codes_of(place.model, place.into);
  CHECK(place.folder.names() == std::vector<std::string>{kModel});
  const std::string bytes = read_text(place.cache());
  CHECK(codes_of(place.model, place.into) == codes);
  CHECK(read_text(place.cache()) == bytes);

  // That it is read at all: other matrices under the right key and checksum are taken.
  const ModelSource source = must(open_source(place.model));
  const auto stored = must(find_weights(*source.file, source.config, source.naming));
  const std::vector<Nf4Shape> shapes = nf4_shapes(stored, source.config);
  auto writer = must(Nf4FileWriter::create(place.cache(), nf4_source_key(*source.file, place.model), shapes));
  for (const Nf4Shape& shape : shapes) {
    Nf4Matrix ones;
    REQUIRE(quantize_nf4(shape, [&](std::int64_t, float* out) { std::fill_n(out, shape.cols, 1.0f); }, 1, ones));
    must(writer.add(ones));
  }
  must(writer.commit());
  CHECK(codes_of(place.model, place.into) != codes);
}

TEST_CASE("nf4 cache: one that is damaged, shortened, empty, foreign or no file is made anew") {
  const Place place;
  const std::string codes = codes_of(place.model, place.into), path = place.cache(), whole = read_text(path);
  const auto check = [&](const std::string& bytes) {
    write_text(path, bytes);
    CHECK(codes_of(place.model, place.into) == codes);
    CHECK(read_text(path) == whole);
    CHECK(place.caches.names().size() == 1);
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
  CHECK(codes_of(place.model, place.into) == codes);
  CHECK(std::filesystem::is_directory(path));
  CHECK(place.caches.names().size() == 1);
}

TEST_CASE("nf4 cache: a model whose file is another, or was written to since, has another key") {
  const Place place;
  const auto key_of = [](const std::string& path) { return nf4_source_key(*must(GgufFile::open(path)), path); };
  const auto key = key_of(place.model);
  CHECK(key_of(place.model) == key);
  const std::string bytes = read_text(place.model);
  const auto time = std::filesystem::last_write_time(place.model);
  // Name, size and time as before: the samples tell.
  for (const char* name : {"blk.0.attn_q.weight", "blk.1.ffn_down.weight", "output_norm.weight"}) {
    CAPTURE(name);
    std::string other = bytes;
    const auto at = [&] {
      const auto file = must(GgufFile::open(place.model));
      return other.find(std::string(reinterpret_cast<const char*>(file->tensor(name)->matrix.data), 32));
    }();
    REQUIRE(at != std::string::npos);
    other[at] = static_cast<char>(other[at] ^ 1);
    write_text(place.model, other);
    std::filesystem::last_write_time(place.model, time);
    CHECK(key_of(place.model) != key);
    write_text(place.model, bytes);
    std::filesystem::last_write_time(place.model, time);
    CHECK(key_of(place.model) == key);
  }
  // What lies between the samples: the time tells.
  std::filesystem::last_write_time(place.model, time + std::chrono::seconds(1));
  CHECK(key_of(place.model) != key);
}

TEST_CASE("nf4 cache: a folder's key is that of all its weights") {
  const TemporaryFolder folder;
  std::filesystem::copy(fixture("tiny-qwen2"), folder / "model", std::filesystem::copy_options::recursive);
  const std::string path = folder / "model";
  const auto key_of = [&] { return nf4_source_key(*must(open_source(path)).file, path); };
  const auto key = key_of();
  write_text(path + "/notes.txt", "not a weight");
  CHECK(key_of() == key);
  const std::string weights = path + "/model-00002-of-00003.safetensors";
  REQUIRE(std::filesystem::exists(weights));
  std::filesystem::last_write_time(weights, std::filesystem::last_write_time(weights) + std::chrono::seconds(1));
  CHECK(key_of() != key);
}

TEST_CASE("nf4 cache: its folder is made; where none can be, or none is named, there is no cache") {
  const Place place;
  const std::string codes = codes_of(place.model, place.caches / "a/b");
  CHECK(std::filesystem::exists(place.caches / "a/b"));
  CHECK(codes_of(place.model, "") == codes);
  CHECK(codes_of(place.model, place.model + "/no-folder") == codes);
  CHECK(place.folder.names() == std::vector<std::string>{kModel});
  CHECK(place.caches.names() == std::vector<std::string>{"a"});
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
  const std::string codes = codes_of(place.model, place.into);
  REQUIRE(setrlimit(RLIMIT_FSIZE, &before) == 0);
  std::signal(SIGXFSZ, handler);
  CHECK(place.caches.names().empty());
  CHECK(codes_of(place.model, place.into) == codes);
  CHECK(place.caches.names().size() == 1);
}
#endif

}  // namespace namesake::test
