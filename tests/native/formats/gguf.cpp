// GGUF: what a good file gives, and what each kind of bad one is called.
#include "formats/gguf.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <limits>
#include <random>

#include "doctest/doctest.h"
#include "formats/gguf_builder.h"

namespace namesake {
namespace {

using test::GgufBuilder;
using Bytes = std::vector<std::byte>;

constexpr std::uint32_t kF32 = 0, kQ4_1 = 3, kQ5_0 = 6, kQ3K = 11, kQ4K = 12, kQ6K = 14;

/// The code that a file in memory is refused with; ok for a good one. The copy has no slack, so that sanitizers see overreads.
Code code_of(const Bytes& file, std::string* message = nullptr) {
  const Bytes exact(file.begin(), file.end());
  const auto parsed = GgufFile::parse(exact.data(), exact.size());
  if (message != nullptr) *message = parsed.status().message;
  return parsed.status().code;
}

/// A small good file: 3 pairs, 2 tensors (64 bytes f32, then 40 bytes q4_1 at 64).
GgufBuilder good() {
  GgufBuilder builder;
  builder.text("general.architecture", "llama").pair("a.count", GgufBuilder::u32, std::uint32_t{7});
  builder.pair("a.list", GgufBuilder::array,
               GgufBuilder::array_bytes(GgufBuilder::i32, 2, GgufBuilder::bytes_of(std::int64_t{0x0000000200000001})));
  builder.tensor("norm", {16}, kF32, 0).tensor("matrix", {32, 2}, kQ4_1, 64);
  return builder;
}
constexpr std::size_t kGoodData = 64 + 40;

Bytes read_file(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  const std::string text(std::istreambuf_iterator<char>(stream), {});
  const auto* begin = reinterpret_cast<const std::byte*>(text.data());
  return {begin, begin + text.size()};
}

}  // namespace

TEST_CASE("gguf: a good file gives its pairs and tensors") {
  for (const std::uint32_t version : {2u, 3u}) {
    GgufBuilder builder = good();
    builder.version = version;
    const Bytes bytes = builder.build(kGoodData);
    const auto parsed = GgufFile::parse(bytes.data(), bytes.size());
    REQUIRE_MESSAGE(parsed.ok(), parsed.status().message);
    const GgufFile& file = *parsed.value();
    CHECK(file.version() == version);
    CHECK(file.file_size() == bytes.size());
    std::string architecture;
    CHECK(file.get_string("general.architecture", architecture));
    CHECK(architecture == "llama");
    const auto& list = std::get<GgufArray>(file.metadata().at("a.list").value);
    REQUIRE(list.size() == 2);
    CHECK(std::get<std::int64_t>(list[1].value) == 2);
    REQUIRE(file.tensors().size() == 2);
    CHECK(file.tensor("absent") == nullptr);
    const StoredTensor* norm = file.tensor("norm");
    REQUIRE(norm != nullptr);
    CHECK(norm->matrix.rows == 1);
    CHECK(norm->matrix.cols == 16);
    const StoredTensor* matrix = file.tensor("matrix");
    REQUIRE(matrix != nullptr);
    CHECK(matrix->matrix.type == BlockType::q4_1);
    CHECK(matrix->matrix.rows == 2);
    CHECK(matrix->matrix.cols == 32);
    CHECK(matrix->shape == std::vector<std::int64_t>{2, 32});
    CHECK(matrix->matrix.data == norm->matrix.data + 64);
    CHECK(norm->matrix.data[5] == std::byte{5});
  }
}

TEST_CASE("gguf: every value type keeps its value, and look-ups mind the type") {
  GgufBuilder builder;
  builder.pair("u8", GgufBuilder::u8, std::uint8_t{255}).pair("i8", GgufBuilder::i8, std::int8_t{-128});
  builder.pair("u16", GgufBuilder::u16, std::uint16_t{65535}).pair("i16", GgufBuilder::i16, std::int16_t{-32768});
  builder.pair("u32", GgufBuilder::u32, std::uint32_t{4294967295}).pair("i32", GgufBuilder::i32, std::int32_t{-5});
  builder.pair("u64", GgufBuilder::u64, std::numeric_limits<std::uint64_t>::max());
  builder.pair("i64", GgufBuilder::i64, std::int64_t{5});
  builder.pair("f32", GgufBuilder::f32, 0.1f).pair("f64", GgufBuilder::f64, 0.1);
  builder.pair("yes", GgufBuilder::boolean, std::uint8_t{1}).pair("no", GgufBuilder::boolean, std::uint8_t{0});
  builder.text("text", std::string_view("a\0你", 5)).text("empty", "");
  builder.pair("none", GgufBuilder::array, GgufBuilder::array_bytes(GgufBuilder::string, 0));
  const Bytes bytes = builder.build();
  const auto parsed = GgufFile::parse(bytes.data(), bytes.size());
  REQUIRE_MESSAGE(parsed.ok(), parsed.status().message);
  const GgufFile& file = *parsed.value();

  std::uint64_t u = 0;
  double f = 0;
  bool b = false;
  std::string s;
  CHECK((file.get_u64("u8", u) && u == 255));
  CHECK((file.get_u64("u16", u) && u == 65535));
  CHECK((file.get_u64("u32", u) && u == 4294967295u));
  CHECK((file.get_u64("u64", u) && u == std::numeric_limits<std::uint64_t>::max()));
  CHECK((file.get_u64("i64", u) && u == 5));
  CHECK_FALSE(file.get_u64("i8", u));
  CHECK_FALSE(file.get_u64("i32", u));
  CHECK_FALSE(file.get_u64("f32", u));
  CHECK_FALSE(file.get_u64("absent", u));
  CHECK(u == 5);
  CHECK(std::get<std::int64_t>(file.metadata().at("i8").value) == -128);
  CHECK(std::get<std::int64_t>(file.metadata().at("i16").value) == -32768);
  CHECK((file.get_f64("f32", f) && f == static_cast<double>(0.1f)));
  CHECK((file.get_f64("f64", f) && f == 0.1));
  CHECK_FALSE(file.get_f64("u8", f));
  CHECK((file.get_bool("yes", b) && b));
  CHECK((file.get_bool("no", b) && !b));
  CHECK_FALSE(file.get_bool("u8", b));
  CHECK((file.get_string("text", s) && s == std::string("a\0你", 5)));
  CHECK((file.get_string("empty", s) && s.empty()));
  CHECK_FALSE(file.get_string("none", s));
  CHECK(std::get<GgufArray>(file.metadata().at("none").value).empty());
}

TEST_CASE("gguf: a file cut anywhere is truncated, never anything worse") {
  const Bytes whole = good().build(kGoodData);
  REQUIRE(code_of(whole) == Code::ok);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    CAPTURE(size);
    REQUIRE(code_of(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size))) == Code::model_truncated);
  }
  Bytes longer = whole;
  longer.resize(whole.size() + 77);
  CHECK(code_of(longer) == Code::ok);  // padding after the last tensor is usual
}

TEST_CASE("gguf: what is not GGUF, or not a version that is read") {
  const auto changed = [](std::size_t at, std::uint8_t value) {
    Bytes bytes = good().build(kGoodData);
    bytes[at] = std::byte{value};
    return code_of(bytes);
  };
  CHECK(changed(0, 'P') == Code::model_unknown_format);
  CHECK(changed(3, 'f') == Code::model_unknown_format);
  CHECK(changed(4, 1) == Code::model_unknown_format);
  CHECK(changed(4, 4) == Code::model_unknown_format);
  std::string message;
  GgufBuilder big = good();
  big.version = 0x03000000;
  CHECK(code_of(big.build(kGoodData), &message) == Code::model_unknown_format);
  CHECK(message.find("big-endian") != std::string::npos);
}

TEST_CASE("gguf: counts and lengths that the file cannot hold are refused before memory is taken for them") {
  const std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
  const auto with_header = [](std::size_t at, std::uint64_t value) {
    Bytes bytes = good().build(kGoodData);
    std::memcpy(bytes.data() + at, &value, sizeof value);
    return code_of(bytes);
  };
  CHECK(with_header(8, most) == Code::model_invalid);          // tensors
  CHECK(with_header(8, 200'000) == Code::model_truncated);     // plausible, but not in this file
  CHECK(with_header(16, most) == Code::model_invalid);         // pairs
  CHECK(with_header(16, 60'000) != Code::ok);
  CHECK(with_header(24, most) == Code::model_invalid);         // length of the first key
  CHECK(with_header(24, 60'000) == Code::model_truncated);

  const auto with_array = [](GgufBuilder::Type type, std::uint64_t count) {
    return code_of(GgufBuilder().pair("list", GgufBuilder::array, GgufBuilder::array_bytes(type, count)).build());
  };
  CHECK(with_array(GgufBuilder::u8, most) == Code::model_invalid);
  CHECK(with_array(GgufBuilder::f64, most / 8 + 2) == Code::model_invalid);   // count * 8 would wrap round
  CHECK(with_array(GgufBuilder::string, 1 << 22) == Code::model_truncated);
  CHECK(with_array(static_cast<GgufBuilder::Type>(13), 1) == Code::model_invalid);
  CHECK(code_of(GgufBuilder().pair("text", GgufBuilder::string, most).build()) == Code::model_invalid);
  CHECK(code_of(GgufBuilder().pair("text", GgufBuilder::string, std::uint64_t{9}).build()) == Code::model_truncated);

  // Arrays are limited together, not one by one.
  GgufBuilder many;
  for (int i = 0; i < 5; ++i) {
    many.pair("list" + std::to_string(i), GgufBuilder::array,
              GgufBuilder::array_bytes(GgufBuilder::u8, 1 << 20, Bytes(1 << 20)));
  }
  CHECK(code_of(many.build()) == Code::model_invalid);
}

TEST_CASE("gguf: arrays nest to a limit") {
  const auto nested = [](int depth) {
    Bytes value = GgufBuilder::array_bytes(GgufBuilder::u8, 1, Bytes(1));
    for (int i = 1; i < depth; ++i) value = GgufBuilder::array_bytes(GgufBuilder::array, 1, value);
    return code_of(GgufBuilder().pair("deep", GgufBuilder::array, value).build());
  };
  CHECK(nested(4) == Code::ok);
  CHECK(nested(5) == Code::model_invalid);
  CHECK(nested(10'000) == Code::model_invalid);
}

TEST_CASE("gguf: metadata that contradicts itself") {
  CHECK(code_of(GgufBuilder().text("a", "1").text("a", "1").build()) == Code::model_invalid);
  CHECK(code_of(GgufBuilder().text("", "1").build()) == Code::model_invalid);
  CHECK(code_of(GgufBuilder().text("a", "\xff").build()) == Code::model_invalid);
  CHECK(code_of(GgufBuilder().text("\xc0\x80", "1").build()) == Code::model_invalid);
  CHECK(code_of(GgufBuilder().pair("a", GgufBuilder::boolean, std::uint8_t{2}).build()) == Code::model_invalid);
  CHECK(code_of(GgufBuilder().pair("a", static_cast<GgufBuilder::Type>(13), std::uint8_t{2}).build()) == Code::model_invalid);
  for (const char* text : {"\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\x80", "\xf0\x80\x80\x80", "\xc1\xbf", "\xf8\x88\x80\x80\x80"}) {
    CHECK(code_of(GgufBuilder().text("a", text).build()) == Code::model_invalid);
  }
  CHECK(code_of(GgufBuilder().text("a", "é€😀\xf4\x8f\xbf\xbf\xed\x9f\xbf").build()) == Code::ok);
}

TEST_CASE("gguf: alignment is a power of two and every tensor keeps to it") {
  for (const std::uint32_t alignment : {0u, 1u, 4u, 12u, 33u, 48u, 1u << 17, 1u << 31}) {
    CAPTURE(alignment);
    CHECK(code_of(GgufBuilder().pair("general.alignment", GgufBuilder::u32, alignment).build()) == Code::model_invalid);
  }
  CHECK(code_of(GgufBuilder().text("general.alignment", "32").build()) == Code::model_invalid);
  for (const std::uint32_t alignment : {8u, 32u, 64u, 4096u}) {
    CAPTURE(alignment);
    GgufBuilder builder;
    builder.alignment = alignment;
    builder.pair("general.alignment", GgufBuilder::u32, alignment).tensor("a", {2}, kF32, 0).tensor("b", {2}, kF32, alignment);
    CHECK(code_of(builder.build(alignment + 8)) == Code::ok);
    CHECK(code_of(builder.build(alignment + 7)) == Code::model_truncated);
  }
  CHECK(code_of(GgufBuilder().tensor("a", {2}, kF32, 8).build(64)) == Code::model_invalid);
}

TEST_CASE("gguf: tensors that cannot be") {
  const std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
  std::string message;
  const auto one = [&](const std::vector<std::uint64_t>& dims, std::uint32_t type, std::uint64_t offset) {
    return code_of(GgufBuilder().tensor("w", dims, type, offset).build(1024), &message);
  };
  CHECK(one({32, 4}, kQ4_1, 0) == Code::ok);
  CHECK(one({32, 2, 2, 1}, kQ4_1, 0) == Code::ok);
  CHECK(one({}, kF32, 0) == Code::model_invalid);
  CHECK(one({1, 1, 1, 1, 1}, kF32, 0) == Code::model_invalid);
  CHECK(one(std::vector<std::uint64_t>(1000, 1), kF32, 0) == Code::model_invalid);
  CHECK(one({0}, kF32, 0) == Code::model_invalid);
  CHECK(one({33, 1}, kQ4_1, 0) == Code::model_invalid);
  CHECK(one({most}, kF32, 0) == Code::model_invalid);
  CHECK(one({std::uint64_t{1} << 32, std::uint64_t{1} << 32}, kF32, 0) == Code::model_invalid);   // the product wraps to 0
  CHECK(one({std::uint64_t{1} << 55, 1}, kF32, 0) == Code::model_truncated);
  CHECK(one({8}, kF32, most - 31) == Code::model_truncated);                                       // offset + size wraps
  CHECK(one({8}, kF32, 1024) == Code::model_truncated);
  CHECK(one({8}, kF32, 992) == Code::ok);
  CHECK(one({9}, kF32, 992) == Code::model_truncated);
  CHECK(one({256, 7}, kQ4K, 0) == Code::ok);  // 7 blocks of 144 bytes
  CHECK(one({256, 8}, kQ4K, 0) == Code::model_truncated);
  CHECK(one({512, 2}, kQ6K, 0) == Code::ok);  // 4 blocks of 210
  CHECK(one({256, 5}, kQ6K, 0) == Code::model_truncated);
  for (const std::uint64_t cols : {1, 32, 255, 257, 288}) CHECK(one({cols}, kQ4K, 0) == Code::model_invalid);
  CHECK(message == "tensor \"w\" has rows of 288 values, not a multiple of 256 (q4_k)");
  CHECK(one({33}, kQ5_0, 0) == Code::model_invalid);
  CHECK(one({256}, kQ3K, 0) == Code::model_unknown_block);
  CHECK(message == "tensor \"w\" is stored as q3_k (type 11), which this engine does not read");
  CHECK(one({256}, kNoGgufId, 0) == Code::model_unknown_block);
  CHECK(one({256}, 0xdeadbeef, 0) == Code::model_unknown_block);
  CHECK(message.find("type 3735928559") != std::string::npos);

  CHECK(code_of(GgufBuilder().tensor("w", {8}, kF32, 0).tensor("w", {8}, kF32, 32).build(64)) == Code::model_invalid);
  CHECK(code_of(GgufBuilder().tensor("", {8}, kF32, 0).build(64)) == Code::model_invalid);
  CHECK(code_of(GgufBuilder().tensor("a", {8}, kF32, 0).tensor("b", {8}, kF32, 0).build(64), &message) == Code::model_invalid);
  CHECK(message.find("overlap") != std::string::npos);
  CHECK(code_of(GgufBuilder().tensor("a", {9}, kF32, 0).tensor("b", {8}, kF32, 32).build(96)) == Code::model_invalid);
  CHECK(code_of(GgufBuilder().tensor("b", {8}, kF32, 32).tensor("a", {9}, kF32, 0).build(96)) == Code::model_invalid);
  CHECK(code_of(GgufBuilder().tensor("b", {8}, kF32, 32).tensor("a", {8}, kF32, 0).build(64)) == Code::ok);  // any order
}

TEST_CASE("gguf: the tiny model opens from disk; what is no file is unreadable") {
  const auto file = GgufFile::open(NAMESAKE_FIXTURES "/tiny-llama.gguf");
  REQUIRE_MESSAGE(file.ok(), file.status().message);
  CHECK(file.value()->tensors().size() == 21);
  std::uint64_t layers = 0;
  CHECK((file.value()->get_u64("llama.block_count", layers) && layers == 2));
  // f32 tensors are read in place as floats.
  for (const StoredTensor& tensor : file.value()->tensors()) {
    CHECK(reinterpret_cast<std::uintptr_t>(tensor.matrix.data) % 32 == 0);
  }
  for (const char* path : {NAMESAKE_FIXTURES "/absent.gguf", NAMESAKE_FIXTURES, "", "/dev/null"}) {
    const auto missing = GgufFile::open(path);
    CHECK(missing.status().code == Code::model_unreadable);
    CHECK(missing.status().message.starts_with(path));
  }
}

TEST_CASE("gguf: mutated files never do worse than a model.* code, and what parses lies inside the file") {
  const char* text = std::getenv("SEED");
  const std::uint64_t seed = text == nullptr ? 1 : std::strtoull(text, nullptr, 10);
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
  const std::uint64_t interesting[] = {0, 1, 31, 32, 255, 0x7fffffff, 0x80000000, 0xffffffff, 0x7fffffffffffffff, ~std::uint64_t{0}};

  std::vector<Bytes> seeds = {good().build(kGoodData)};
  Bytes tiny = read_file(NAMESAKE_FIXTURES "/tiny-llama.gguf");
  REQUIRE(tiny.size() > 20'000);
  seeds.push_back(std::move(tiny));
  int accepted = 0, refused = 0;
  for (int round = 0; round < 4000; ++round) {
    Bytes bytes = seeds[static_cast<std::size_t>(round % 2)];
    const std::size_t head = std::min<std::size_t>(bytes.size() - 8, 20'000);
    for (std::size_t change = 0, changes = 1 + below(4); change < changes; ++change) {
      const std::size_t at = below(head);
      switch (below(5)) {
        case 0: bytes[at] ^= static_cast<std::byte>(1u << below(8)); break;
        case 1: bytes[at] = static_cast<std::byte>(random()); break;
        case 2: std::memcpy(bytes.data() + at, &interesting[below(std::size(interesting))], 8); break;
        case 3: std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(below(head)), 8, bytes.begin() + static_cast<std::ptrdiff_t>(at)); break;
        default: bytes.resize(bytes.size() - below(8)); break;
      }
    }
    const Bytes exact(bytes.begin(), bytes.end());
    const auto parsed = GgufFile::parse(exact.data(), exact.size());
    if (!parsed.ok()) {
      ++refused;
      const std::string code = code_name(parsed.status().code);
      REQUIRE(code.starts_with("model."));
      REQUIRE_FALSE(parsed.status().message.empty());
      continue;
    }
    ++accepted;
    for (const StoredTensor& tensor : parsed.value()->tensors()) {
      const Matrix& matrix = tensor.matrix;
      REQUIRE(matrix.data >= exact.data());
      REQUIRE(matrix.row(matrix.rows) <= exact.data() + exact.size());
      std::vector<float> row(static_cast<std::size_t>(matrix.cols));
      decode_row(matrix, matrix.rows - 1, row.data());
    }
  }
  // Both kinds must occur, or the mutations test nothing.
  CHECK(accepted > 100);
  CHECK(refused > 1000);
}

}  // namespace namesake
