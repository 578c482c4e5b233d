// safetensors: what we write is what we read, byte for byte the same each time; hostile headers get their code.
#include "formats/safetensors.h"

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <random>

#include "doctest/doctest.h"
#include "formats/temporary_folder.h"
#include "formats/tensor_to_write.h"

namespace namesake {
namespace {

using test::TemporaryFolder;
using test::tensor_to_write;

/// A file of this header and this many bytes of data.
std::string file_of(const std::string& header, std::size_t data_bytes) {
  const std::uint64_t length = header.size();
  std::string file(sizeof length, '\0');
  std::memcpy(file.data(), &length, sizeof length);
  return file + header + std::string(data_bytes, '\0');
}

Result<SafetensorsFile> parse(const std::string& file) {
  const std::vector<char> exact(file.begin(), file.end());  // no slack behind it, so that sanitizers see overreads
  return parse_safetensors(reinterpret_cast<const std::byte*>(exact.data()), exact.size());
}

Status status_of(const std::string& header, std::size_t data_bytes) { return parse(file_of(header, data_bytes)).status(); }

std::string entry(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
}

}  // namespace

TEST_CASE("safetensors: round trip, and the same bytes each time") {
  const TemporaryFolder folder;
  const std::vector<float> a = {1, -0.0f, 3e-45f, INFINITY, 5, 6}, b = {7};
  const std::vector<TensorToWrite> tensors = {
      tensor_to_write("z.weight", {2, 3}, a.data()), tensor_to_write("a \"quoted\"\\\n名字", {}, b.data()), {"empty", {0, 4}, nullptr}};
  const std::map<std::string, std::string> metadata = {{"format", "pt"}, {"note", "line\nbreak"}};
  const std::string path = folder / "x.safetensors";
  REQUIRE(write_safetensors(path, tensors, metadata).ok());
  const std::string bytes = test::read_text(path);
  REQUIRE(write_safetensors(path, tensors, metadata).ok());  // over the old file
  CHECK(test::read_text(path) == bytes);
  CHECK(folder.names() == std::vector<std::string>{"x.safetensors"});

  const Result<SafetensorsFile> read = read_safetensors(path);
  REQUIRE_MESSAGE(read.ok(), read.status().message);
  CHECK(read.value().metadata == metadata);
  REQUIRE(read.value().tensors.size() == 3);
  const TensorRead& z = read.value().tensors.at("z.weight");
  CHECK(z.shape == std::vector<std::int64_t>{2, 3});
  CHECK(std::memcmp(z.data.data(), a.data(), sizeof(float) * a.size()) == 0);
  CHECK(read.value().tensors.at("a \"quoted\"\\\n名字").data == b);
  CHECK(read.value().tensors.at("empty").data.empty());

  // The header is in the order given, and the data begins at a multiple of 8.
  std::uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, bytes.data(), sizeof header_bytes);
  CHECK(header_bytes % 8 == 0);
  CHECK(bytes.size() == 8 + header_bytes + 7 * sizeof(float));
  CHECK(bytes.find("z.weight") < bytes.find("quoted"));
}

TEST_CASE("safetensors: a tensor whose values cannot be had is its own error and leaves the old file") {
  const TemporaryFolder folder;
  const std::vector<float> values = {1, 2};
  REQUIRE(write_safetensors(folder / "x", {tensor_to_write("a", {2}, values.data())}, {}).ok());
  const std::string before = test::read_text(folder / "x");
  const TensorToWrite lost = {"b", {2}, [](std::byte*) { return Status::error(Code::gpu_failed, "the card is gone"); }};
  CHECK(write_safetensors(folder / "x", {tensor_to_write("a", {2}, values.data()), lost}, {}).code == Code::gpu_failed);
  CHECK(test::read_text(folder / "x") == before);
  CHECK(folder.names() == std::vector<std::string>{"x"});
}

TEST_CASE("safetensors: a file with nothing in it") {
  const TemporaryFolder folder;
  REQUIRE(write_safetensors(folder / "none", {}, {}).ok());
  const Result<SafetensorsFile> read = read_safetensors(folder / "none");
  REQUIRE_MESSAGE(read.ok(), read.status().message);
  CHECK(read.value().tensors.empty());
}

TEST_CASE("safetensors: f16, bf16 and integers become f32") {
  const std::string header = "{\"i\":" + entry("I32", "[1]", "[0,4]") + ",\"h\":" + entry("F16", "[2]", "[4,8]") +
                             ",\"b\":" + entry("BF16", "[2]", "[8,12]") + ",\"u\":" + entry("U8", "[2]", "[12,14]") +
                             ",\"l\":" + entry("I64", "[1]", "[14,22]") + "}";
  std::string file = file_of(header, 22);
  const std::string data("\xff\xff\xff\xff" "\x00\x3c\x00\xc0" "\x80\x3f\x00\xc0" "\x07\xff" "\x00\x00\x00\x01\x00\x00\x00\x00", 22);
  file.replace(file.size() - 22, 22, data);
  const Result<SafetensorsFile> read = parse(file);
  REQUIRE_MESSAGE(read.ok(), read.status().message);
  const auto& tensors = read.value().tensors;
  CHECK(tensors.at("i").data == std::vector<float>{-1});
  CHECK(tensors.at("h").data == std::vector<float>{1, -2});
  CHECK(tensors.at("b").data == std::vector<float>{1, -2});
  CHECK(tensors.at("u").data == std::vector<float>{7, 255});
  CHECK(tensors.at("l").data == std::vector<float>{0x1p24f});
  file[file.size() - 8] = 1;  // 2^24 + 1
  CHECK(parse(file).status().code == Code::adapter_invalid);
}

TEST_CASE("safetensors: hostile headers") {
  const auto refused = [](const std::string& header, std::size_t data_bytes) {
    const Status status = status_of(header, data_bytes);
    CHECK_MESSAGE(status.code == Code::adapter_invalid, header);
    return status.message;
  };
  REQUIRE(status_of("{\"a\":" + entry("F32", "[2]", "[0,8]") + "}  ", 8).ok());
  // JSON that is none, or of another shape.
  for (const char* header : {"", "{", "[]", "null", "{\"a\":1}", "{\"a\":{}}", "{\"__metadata__\":[]}", "{\"__metadata__\":{\"a\":1}}",
                             "{\"__metadata__\":{\"a\":\"1\",\"a\":\"2\"}}", "{\"__metadata__\":{},\"__metadata__\":{}}",
                             "{\"a\xff\":1}", "{} {}", "{/**/}"}) {
    refused(header, 0);
  }
  // Entries that lie.
  const auto one = [&](const std::string& dtype, const std::string& shape, const std::string& offsets, std::size_t bytes) {
    return refused("{\"a\":" + entry(dtype, shape, offsets) + "}", bytes);
  };
  CHECK(one("F8_E4M3", "[2]", "[0,2]", 2).find("F8_E4M3") != std::string::npos);
  one("f32", "[2]", "[0,8]", 8);
  one("F32", "[3]", "[0,8]", 8);
  one("F32", "[-2]", "[0,8]", 8);
  one("F32", "[2.0]", "[0,8]", 8);
  one("F32", "2", "[0,8]", 8);
  one("F32", "[1,1,1,1,1,1,1,1,2]", "[0,8]", 8);
  one("F32", "[18446744073709551615]", "[0,8]", 8);
  one("F32", "[4294967296,4294967296]", "[0,0]", 0);                  // the product wraps to 0
  one("F32", "[4611686018427387905]", "[0,4]", 4);                    // times 4 wraps to 4
  one("F32", "[0,4611686018427387905]", "[0,4]", 4);
  one("F32", "[2]", "[8,0]", 8);
  one("F32", "[2]", "[0,16]", 8);
  one("F32", "[2]", "[0,8,8]", 8);
  one("F32", "[2]", "[0]", 8);
  one("F32", "[2]", "[-8,0]", 8);
  one("F32", "[2]", "\"0,8\"", 8);
  one("F32", "[2]", "[18446744073709551608,18446744073709551615]", 8);
  one("F32", "[2]", "[0,8]", 9);                                       // a byte that belongs to nothing
  one("F32", "[2]", "[4,12]", 12);                                     // a gap before it
  refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"x\":1}}", 8);
  const auto two = [&](const std::string& second, const std::string& offsets, std::size_t bytes) {
    return refused("{\"a\":" + entry("F32", "[2]", "[0,8]") + ",\"" + second + "\":" + entry("F32", "[2]", offsets) + "}", bytes);
  };
  CHECK(two("b", "[0,8]", 8).find("overlaps") != std::string::npos);
  CHECK(two("b", "[4,12]", 12).find("overlaps") != std::string::npos);
  CHECK(two("b", "[12,20]", 20).find("gap") != std::string::npos);
  CHECK(two("a", "[8,16]", 16).find("twice") != std::string::npos);
  // Lengths.
  for (const std::uint64_t length : {~std::uint64_t{0}, std::uint64_t{1} << 63, std::uint64_t{100'000'001}, std::uint64_t{3}}) {
    std::string file = file_of("{}", 0);
    std::memcpy(file.data(), &length, sizeof length);
    CHECK(parse(file).status().code == Code::adapter_invalid);
  }
  for (std::size_t size = 0; size < 8; ++size) CHECK(parse(std::string(size, '\0')).status().code == Code::adapter_invalid);
  // Deeply nested JSON must not use up the stack.
  refused(std::string(1'000'000, '['), 0);
  refused("{\"a\":" + std::string(100'000, '[') + std::string(100'000, ']') + "}", 0);
}

TEST_CASE("safetensors: mutated adapters never do worse than adapter.invalid") {
  const char* text = std::getenv("SEED");
  const std::uint64_t seed = text == nullptr ? 1 : std::strtoull(text, nullptr, 10);
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  const std::string original = test::read_text(NAMESAKE_FIXTURES "/golden/tiny-llama/adapter/adapter_model.safetensors");
  REQUIRE(parse(original).ok());
  std::uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, original.data(), sizeof header_bytes);
  int refused = 0;
  for (int round = 0; round < 2000; ++round) {
    std::string file = original;
    for (std::uint64_t change = 0, changes = 1 + random() % 3; change < changes; ++change) {
      const std::size_t at = static_cast<std::size_t>(random() % (8 + header_bytes));
      switch (random() % 3) {
        case 0: file[at] = static_cast<char>(file[at] ^ 1 << random() % 8); break;
        case 1: file[at] = "0123456789[]{},:\"-e"[random() % 19]; break;
        default: file.resize(file.size() - random() % 9); break;
      }
    }
    const Result<SafetensorsFile> read = parse(file);
    if (!read.ok()) {
      ++refused;
      REQUIRE(read.status().code == Code::adapter_invalid);
      continue;
    }
    for (const auto& [name, tensor] : read.value().tensors) {
      std::size_t elements = 1;
      for (const std::int64_t dim : tensor.shape) elements *= static_cast<std::size_t>(dim);
      REQUIRE(tensor.data.size() == elements);
    }
  }
  CHECK(refused > 1000);
  CHECK(refused < 2000);  // a changed name is no error
}

TEST_CASE("safetensors: no file is unreadable, a name that is not UTF-8 is not written") {
  const TemporaryFolder folder;
  CHECK(read_safetensors(folder / "absent").status().code == Code::adapter_unreadable);
  CHECK(read_safetensors(folder.path()).status().code == Code::adapter_unreadable);
  const float value = 1;
  CHECK(write_safetensors(folder / "x", {tensor_to_write("\xff", {1}, &value)}, {}).code == Code::internal);
  CHECK(write_safetensors(folder / "x", {tensor_to_write("a", {-1}, &value)}, {}).code == Code::internal);
  CHECK(folder.names().empty());
}

}  // namespace namesake
