// SafetensorsModel: what a folder gives, whole or in shards, and what each kind of bad one is called.
#include "formats/safetensors_model.h"

#include <cstdint>
#include <filesystem>
#include <functional>

#include "doctest/doctest.h"
#include "formats/safetensors_builder.h"
#include "formats/temporary_folder.h"

namespace namesake {
namespace {

using test::SafetensorsBuilder;
using test::safetensors_entry;
using test::safetensors_file;
using test::TemporaryFolder;

constexpr char kIndex[] = "model.safetensors.index.json", kFirst[] = "model-00001-of-00002.safetensors",
               kSecond[] = "model-00002-of-00002.safetensors";

std::string bytes(std::size_t count) {
  std::string text(count, '\0');
  for (std::size_t i = 0; i < count; ++i) text[i] = static_cast<char>(i);
  return text;
}

/// One file in memory without slack behind it, so that sanitizers see overreads.
Status status_of(const std::string& file) {
  const std::vector<char> exact(file.begin(), file.end());
  const SafetensorsShard shard{"model.safetensors", reinterpret_cast<const std::byte*>(exact.data()), exact.size()};
  return SafetensorsModel::parse("", {shard}).status();
}

std::string index_of(const std::string& weight_map) { return R"({"metadata":{"total_size":1},"weight_map":)" + weight_map + "}"; }

/// Two shards, `a` and `b` in the first, `c` in the second, and their index.
struct Sharded {
  std::string index = index_of(std::string(R"({"a":")") + kFirst + R"(","b":")" + kFirst + R"(","c":")" + kSecond + "\"}");
  std::string first = SafetensorsBuilder().tensor("b", "F32", {2}, bytes(8)).tensor("a", "BF16", {2, 3}, bytes(12)).build();
  std::string second = SafetensorsBuilder().tensor("c", "F16", {4}, bytes(8)).build();

  void write(const TemporaryFolder& folder) const {
    test::write_text(folder / kIndex, index);
    test::write_text(folder / kFirst, first);
    test::write_text(folder / kSecond, second);
  }
  Status open() const {
    const TemporaryFolder folder;
    write(folder);
    return SafetensorsModel::open(folder.path()).status();
  }
};

Code after(const std::function<void(Sharded&)>& change) {
  Sharded sharded;
  change(sharded);
  const Status status = sharded.open();
  INFO(status.message);
  CHECK(status.ok() == status.message.empty());
  return status.code;
}

}  // namespace

TEST_CASE("safetensors model: one file gives its tensors as they are stored") {
  const TemporaryFolder folder;
  const std::string file = SafetensorsBuilder()
                               .tensor("matrix", "F32", {3, 2}, bytes(24))
                               .tensor("vector", "F16", {4}, bytes(8))
                               .tensor("cube", "BF16", {2, 3, 2}, bytes(24))
                               .tensor("value", "F32", {}, bytes(4))
                               .build();
  test::write_text(folder / "model.safetensors", file);
  const auto opened = SafetensorsModel::open(folder.path());
  REQUIRE_MESSAGE(opened.ok(), opened.status().message);
  const SafetensorsModel& model = *opened.value();
  CHECK(model.file_size() == file.size());
  CHECK(model.tensors().size() == 4);
  CHECK(model.tensor("absent") == nullptr);
  const struct {
    const char* name;
    BlockType type;
    std::int64_t rows, cols;
    std::size_t at;
  } expected[] = {{"matrix", BlockType::f32, 3, 2, 0},
                  {"vector", BlockType::f16, 1, 4, 24},
                  {"cube", BlockType::bf16, 6, 2, 32},
                  {"value", BlockType::f32, 1, 1, 56}};
  for (const auto& [name, type, rows, cols, at] : expected) {
    CAPTURE(name);
    const StoredTensor* tensor = model.tensor(name);
    REQUIRE(tensor != nullptr);
    CHECK(tensor->matrix.type == type);
    CHECK(tensor->matrix.rows == rows);
    CHECK(tensor->matrix.cols == cols);
    CHECK(tensor->matrix.data == model.tensor("matrix")->matrix.data + at);
    CHECK(tensor->matrix.data[1] == std::byte{1});
  }
  CHECK(model.tensor("matrix")->shape == std::vector<std::int64_t>{3, 2});
  CHECK(model.tensor("cube")->shape == std::vector<std::int64_t>{2, 3, 2});
  CHECK(model.tensor("value")->shape.empty());
}

TEST_CASE("safetensors model: shards are one model") {
  const TemporaryFolder folder;
  const Sharded sharded;
  sharded.write(folder);
  auto opened = SafetensorsModel::open(folder.path());
  REQUIRE_MESSAGE(opened.ok(), opened.status().message);
  CHECK(opened.value()->file_size() == sharded.first.size() + sharded.second.size());
  CHECK(opened.value()->tensors().size() == 3);
  CHECK(opened.value()->tensor("c")->matrix.type == BlockType::f16);

  // As transformers: what a shard holds beside the index counts, and a whole file makes the index moot.
  CHECK(after([](Sharded& s) { s.index = index_of(std::string(R"({"a":")") + kFirst + R"(","c":")" + kSecond + "\"}"); }) == Code::ok);
  test::write_text(folder / "model.safetensors", SafetensorsBuilder().tensor("alone", "F32", {1}, bytes(4)).build());
  test::write_text(folder / kIndex, "{");
  opened = SafetensorsModel::open(folder.path());
  REQUIRE_MESSAGE(opened.ok(), opened.status().message);
  REQUIRE(opened.value()->tensors().size() == 1);
  CHECK(opened.value()->tensors()[0].name == "alone");
}

TEST_CASE("safetensors model: pages that were given back are read again") {
  const TemporaryFolder folder;
  constexpr std::int64_t kRows = 512, kCols = 64;  // 128 kB: whole pages inside
  const std::string values = bytes(static_cast<std::size_t>(kRows * kCols) * 4);
  const std::string first = SafetensorsBuilder().tensor("first", "F32", {kRows, kCols}, values).build();
  const std::string second = SafetensorsBuilder().tensor("second", "F32", {kRows, kCols}, values).build();
  test::write_text(folder / kIndex, index_of(std::string(R"({"first":")") + kFirst + R"(","second":")" + kSecond + "\"}"));
  test::write_text(folder / kFirst, first);
  test::write_text(folder / kSecond, second);
  const auto opened = SafetensorsModel::open(folder.path());
  REQUIRE_MESSAGE(opened.ok(), opened.status().message);
  for (const StoredTensor& tensor : opened.value()->tensors()) {
    opened.value()->release_pages(tensor.matrix);
    CHECK(std::memcmp(tensor.matrix.data, values.data(), values.size()) == 0);
  }
  const std::vector<std::byte> own(values.size());
  opened.value()->release_pages({BlockType::f32, kRows, kCols, own.data()});  // not of this file: left alone
  CHECK(own.back() == std::byte{0});
}

TEST_CASE("safetensors model: a file that was cut off anywhere is model.truncated") {
  const std::string file = SafetensorsBuilder().tensor("a", "BF16", {2, 3}, bytes(12)).tensor("b", "F32", {2}, bytes(8)).build();
  REQUIRE(status_of(file).ok());
  for (std::size_t size = 0; size < file.size(); ++size) {
    CAPTURE(size);
    CHECK(status_of(file.substr(0, size)).code == Code::model_truncated);
  }
}

TEST_CASE("safetensors model: tensors that cannot be are model.invalid, types that are not read model.unknown_block") {
  const auto one = [](const std::string& dtype, const std::vector<std::int64_t>& shape, std::size_t count) {
    return status_of(SafetensorsBuilder().tensor("some.weight", dtype, shape, bytes(count)).build());
  };
  REQUIRE(one("F32", {2, 2}, 16).ok());
  for (const char* dtype : {"BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "I16", "I32", "I64", "F64", "F4", "f32", ""}) {
    const Status status = one(dtype, {2}, 2);
    CHECK_MESSAGE(status.code == Code::model_unknown_block, dtype);
    CHECK(status.message.find("some.weight") != std::string::npos);
  }
  CHECK(one("F32", {0, 4}, 0).code == Code::model_invalid);
  CHECK(one("F32", {3}, 8).code == Code::model_invalid);
  CHECK(one("BF16", {-2}, 4).code == Code::model_invalid);
  const std::string data = bytes(8);
  const auto file = [&](const std::string& header) { return status_of(safetensors_file(header, data)); };
  REQUIRE(file("{" + safetensors_entry("a", "F32", {2}, 0, 8) + "}").ok());
  CHECK(file("{" + safetensors_entry("", "F32", {2}, 0, 8) + "}").code == Code::model_invalid);
  CHECK(file("{" + safetensors_entry(std::string(257, 'n'), "F32", {2}, 0, 8) + "}").code == Code::model_invalid);
  CHECK(file("{" + safetensors_entry("a", "F32", {1}, 0, 4) + "}").code == Code::model_invalid);        // bytes left over
  CHECK(file("{" + safetensors_entry("a", "F32", {1}, 4, 8) + "}").code == Code::model_invalid);        // a gap
  CHECK(file("{" + safetensors_entry("a", "F32", {2}, 0, 8) + "," + safetensors_entry("b", "F32", {1}, 4, 8) + "}").code ==
        Code::model_invalid);                                                                           // an overlap
  CHECK(file("{" + safetensors_entry("a", "F32", {3}, 0, 12) + "}").code == Code::model_truncated);
  CHECK(status_of("<!doctype html><title>404 Not Found</title>").code == Code::model_invalid);
}

TEST_CASE("safetensors model: an index and its shards must agree") {
  REQUIRE(after([](Sharded&) {}) == Code::ok);
  const auto with_map = [](const std::string& map) { return after([&](Sharded& s) { s.index = index_of(map); }); };
  const std::string first = kFirst, second = kSecond;
  // A tensor that its shard lacks, though another has it, and one that none has.
  CHECK(with_map(R"({"a":")" + first + R"(","b":")" + second + R"(","c":")" + second + "\"}") == Code::model_invalid);
  CHECK(with_map(R"({"a":")" + first + R"(","d":")" + second + "\"}") == Code::model_invalid);
  // A shard that is not there.
  CHECK(with_map(R"({"a":")" + first + R"(","c":"model-00003-of-00003.safetensors"})") == Code::model_unreadable);
  // The same tensor in both.
  CHECK(after([](Sharded& s) { s.second = s.first; }) == Code::model_invalid);
  CHECK(after([](Sharded& s) {
          s.second = SafetensorsBuilder().tensor("c", "F16", {4}, bytes(8)).tensor("a", "BF16", {2, 3}, bytes(12)).build();
        }) == Code::model_invalid);
  // A shard that is damaged.
  CHECK(after([](Sharded& s) { s.second.pop_back(); }) == Code::model_truncated);
  CHECK(after([](Sharded& s) { s.second.clear(); }) == Code::model_truncated);
  CHECK(after([](Sharded& s) { s.second += '\0'; }) == Code::model_invalid);
  CHECK(after([](Sharded& s) { s.first = SafetensorsBuilder().tensor("b", "F64", {1}, bytes(8)).build(); }) == Code::model_unknown_block);
  // An index that is none.
  for (const char* index : {"", "{", "[]", "{}", R"({"weight_map":null})", R"({"weight_map":[]})", R"({"weight_map":{}})",
                            R"({"weight_map":{"a":1}})", R"({"weight_map":{"a":null}})", R"({"weight_map":{},"weight_map":{}})"}) {
    CHECK_MESSAGE(after([&](Sharded& s) { s.index = index; }) == Code::model_invalid, index);
  }
  CHECK(with_map(R"({"a":")" + first + R"(","a":")" + first + R"(","c":")" + second + "\"}") == Code::model_invalid);
}

TEST_CASE("safetensors model: an index names files of its own folder and no others") {
  const TemporaryFolder folder;
  const Sharded sharded;
  std::filesystem::create_directory(folder / "inside");
  sharded.write(folder);
  test::write_text(folder / "inside/x.safetensors", sharded.first);
  test::write_text(folder / ".x.safetensors", sharded.first);
  test::write_text(folder / "weights.bin", sharded.first);
  for (const std::string& name :
       {folder / kFirst, std::string("inside/x.safetensors"), std::string("./") + kFirst, "../" + folder.names()[0], std::string(".."),
        std::string(".x.safetensors"), std::string("weights.bin"), std::string("C:x.safetensors"), std::string("x.safetensors:stream"),
        std::string("inside\\\\x.safetensors"), std::string("x\\u0000.safetensors"), std::string("x\\n.safetensors"), std::string(),
        std::string(300, 'x') + ".safetensors"}) {
    test::write_text(folder / kIndex, index_of(R"({"a":")" + name + "\"}"));
    const Status status = SafetensorsModel::open(folder.path()).status();
    CHECK_MESSAGE(status.code == Code::model_invalid, name);
    CHECK_MESSAGE(status.message.find("not the name of a safetensors file") != std::string::npos, name);
  }
}

TEST_CASE("safetensors model: a folder of another kind, or that cannot be read") {
  const TemporaryFolder folder;
  CHECK(SafetensorsModel::open(folder.path()).status().code == Code::model_unknown_format);
  CHECK(SafetensorsModel::open(folder / "absent").status().code == Code::model_unknown_format);
  std::filesystem::create_directory(folder / "model.safetensors");
  CHECK(SafetensorsModel::open(folder.path()).status().code == Code::model_unreadable);
  CHECK(is_folder(folder.path()));
  CHECK_FALSE(is_folder(folder / "absent"));
  test::write_text(folder / "file", "");
  CHECK_FALSE(is_folder(folder / "file"));
}

#ifndef _WIN32
TEST_CASE("safetensors model: the links of a cache's folder are followed, a broken one is unreadable") {
  const TemporaryFolder blobs, snapshot;
  test::write_text(blobs / "0123", Sharded().second);
  std::filesystem::create_symlink(blobs / "0123", snapshot / "model.safetensors");
  CHECK(SafetensorsModel::open(snapshot.path()).ok());
  std::filesystem::remove(blobs / "0123");
  CHECK(SafetensorsModel::open(snapshot.path()).status().code == Code::model_unreadable);
}
#endif

}  // namespace namesake
