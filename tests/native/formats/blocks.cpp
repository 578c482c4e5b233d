// Block decoding: values worked out by hand, every 16-bit float, and the gguf package's results (golden/blocks.safetensors).
#include "formats/blocks.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "doctest/doctest.h"
#include "formats/safetensors.h"

namespace namesake {
namespace {

constexpr BlockType kTypes[] = {BlockType::f32,  BlockType::f16,  BlockType::bf16, BlockType::q4_0, BlockType::q4_1, BlockType::q5_0,
                                BlockType::q5_1, BlockType::q8_0, BlockType::q4_k, BlockType::q5_k, BlockType::q6_k};

std::vector<float> decode(BlockType type, const std::vector<std::uint8_t>& bytes) {
  const BlockFormat& format = block_format(type);
  const std::int64_t blocks = static_cast<std::int64_t>(bytes.size()) / format.bytes_per_block;
  std::vector<float> values(static_cast<std::size_t>(blocks * format.values_per_block));
  format.decode(reinterpret_cast<const std::byte*>(bytes.data()), blocks, values.data());
  return values;
}

std::uint32_t bits(float value) { return std::bit_cast<std::uint32_t>(value); }

}  // namespace

TEST_CASE("blocks: the table's entries stand at their own type and are found by GGUF's id") {
  for (const BlockType type : kTypes) {
    const BlockFormat& format = block_format(type);
    CHECK(format.type == type);
    CHECK(block_format_of_gguf(format.gguf_id) == &format);
    CHECK(row_bytes(type, 512) == 512 / format.values_per_block * format.bytes_per_block);
  }
  CHECK(block_format_of_gguf(11) == nullptr);  // q3_k
  // No file can name nf4.
  CHECK(block_format(BlockType::nf4).type == BlockType::nf4);
  CHECK(block_format(BlockType::nf4).gguf_id == kNoGgufId);
  CHECK(block_format_of_gguf(kNoGgufId) == nullptr);
  CHECK(row_bytes(BlockType::nf4, 128) == 64);
  const std::byte* base = nullptr;
  const Matrix matrix{BlockType::q4_1, 3, 64, base};
  CHECK(matrix.row(2) - matrix.row(0) == 2 * 2 * 20);
}

TEST_CASE("blocks: f16 to f32 is exact for all 65,536 values") {
  CHECK(bits(f16_to_f32(0x0000)) == bits(0.0f));
  CHECK(bits(f16_to_f32(0x8000)) == bits(-0.0f));
  CHECK(f16_to_f32(0x0001) == 0x1p-24f);   // least subnormal
  CHECK(f16_to_f32(0x03ff) == 1023 * 0x1p-24f);
  CHECK(f16_to_f32(0x0400) == 0x1p-14f);   // least normal
  CHECK(f16_to_f32(0x3c00) == 1.0f);
  CHECK(f16_to_f32(0xc100) == -2.5f);
  CHECK(f16_to_f32(0x7bff) == 65504.0f);
  CHECK(f16_to_f32(0x7c00) == std::numeric_limits<float>::infinity());
  CHECK(f16_to_f32(0xfc00) == -std::numeric_limits<float>::infinity());
  for (std::uint32_t half = 0; half < 0x10000; ++half) {
    const float value = f16_to_f32(static_cast<std::uint16_t>(half));
    const int exponent = static_cast<int>(half >> 10 & 31), fraction = static_cast<int>(half & 1023);
    if (exponent == 31 && fraction != 0) {
      REQUIRE(std::isnan(value));
      continue;
    }
    if (exponent == 31) continue;
    const double magnitude = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
    REQUIRE(static_cast<double>(value) == ((half & 0x8000) != 0 ? -magnitude : magnitude));
  }
}

TEST_CASE("blocks: bf16 rounds to nearest even and keeps what it can hold") {
  CHECK(f32_to_bf16(1.0f) == 0x3f80);
  CHECK(f32_to_bf16(std::bit_cast<float>(0x3f808000u)) == 0x3f80);  // half-way, even below
  CHECK(f32_to_bf16(std::bit_cast<float>(0x3f818000u)) == 0x3f82);  // half-way, even above
  CHECK(f32_to_bf16(std::bit_cast<float>(0x3f808001u)) == 0x3f81);
  CHECK(f32_to_bf16(std::numeric_limits<float>::max()) == 0x7f80);  // rounds to infinity
  CHECK(f32_to_bf16(std::numeric_limits<float>::infinity()) == 0x7f80);
  CHECK(f32_to_bf16(-0.0f) == 0x8000);
  // A NaN whose payload lies in the low half must not become infinity.
  CHECK(std::isnan(bf16_to_f32(f32_to_bf16(std::bit_cast<float>(0x7f800001u)))));
  CHECK(std::isnan(bf16_to_f32(f32_to_bf16(std::bit_cast<float>(0xffffffffu)))));
  for (std::uint32_t half = 0; half < 0x10000; ++half) {
    const float value = bf16_to_f32(static_cast<std::uint16_t>(half));
    if (!std::isnan(value)) REQUIRE(f32_to_bf16(value) == half);
  }
}

TEST_CASE("blocks: q4_0, q4_1 and q8_0 by hand") {
  // d = 0.5; byte j holds value j low and value j + 16 high.
  std::vector<std::uint8_t> q4_0 = {0x00, 0x38};
  for (int j = 0; j < 16; ++j) q4_0.push_back(static_cast<std::uint8_t>(j | (15 - j) << 4));
  const std::vector<float> a = decode(BlockType::q4_0, q4_0);
  for (int j = 0; j < 16; ++j) {
    CHECK(a[static_cast<std::size_t>(j)] == 0.5f * static_cast<float>(j - 8));
    CHECK(a[static_cast<std::size_t>(j + 16)] == 0.5f * static_cast<float>(7 - j));
  }
  // d = 0.25, m = -1.
  std::vector<std::uint8_t> q4_1 = {0x00, 0x34, 0x00, 0xbc};
  q4_1.insert(q4_1.end(), q4_0.begin() + 2, q4_0.end());
  const std::vector<float> b = decode(BlockType::q4_1, q4_1);
  for (int j = 0; j < 16; ++j) {
    CHECK(b[static_cast<std::size_t>(j)] == 0.25f * static_cast<float>(j) - 1);
    CHECK(b[static_cast<std::size_t>(j + 16)] == 0.25f * static_cast<float>(15 - j) - 1);
  }
  // d = -2, bytes -16, -15, …; two blocks, to see that the second begins where the first ends.
  std::vector<std::uint8_t> q8_0;
  for (int block = 0; block < 2; ++block) {
    q8_0.insert(q8_0.end(), {0x00, 0xc0});
    for (int j = 0; j < 32; ++j) q8_0.push_back(static_cast<std::uint8_t>(j - 16 + block));
  }
  const std::vector<float> c = decode(BlockType::q8_0, q8_0);
  for (int j = 0; j < 32; ++j) {
    CHECK(c[static_cast<std::size_t>(j)] == -2.0f * static_cast<float>(j - 16));
    CHECK(c[static_cast<std::size_t>(j + 32)] == -2.0f * static_cast<float>(j - 15));
  }
}

TEST_CASE("blocks: q5_0 and q5_1 by hand") {
  // d = 0.5; nibbles j and 15 - j as above, the fifth bit of values 1, 16 and 31 set.
  std::vector<std::uint8_t> quants = {0x02, 0x00, 0x01, 0x80};
  for (int j = 0; j < 16; ++j) quants.push_back(static_cast<std::uint8_t>(j | (15 - j) << 4));
  const auto fifth = [](int j) { return j == 1 || j == 16 || j == 31 ? 16 : 0; };
  std::vector<std::uint8_t> q5_0 = {0x00, 0x38}, q5_1 = {0x00, 0x38, 0x00, 0xbc};
  q5_0.insert(q5_0.end(), quants.begin(), quants.end());
  q5_1.insert(q5_1.end(), quants.begin(), quants.end());
  const std::vector<float> a = decode(BlockType::q5_0, q5_0), b = decode(BlockType::q5_1, q5_1);
  for (int j = 0; j < 32; ++j) {
    const int q = (j < 16 ? j : 31 - j) + fifth(j);
    CHECK(a[static_cast<std::size_t>(j)] == 0.5f * static_cast<float>(q - 16));
    CHECK(b[static_cast<std::size_t>(j)] == 0.5f * static_cast<float>(q) - 1);
  }
}

TEST_CASE("blocks: K-quants by hand: where each sub-block's scale, minimum and quants lie") {
  // Scales 1 to 8 and minima 33 to 40 of the sub-blocks, d = 1, dmin = 0.5: the last four minima need the bits on top of bytes 4-7.
  const std::vector<std::uint8_t> head = {0x00, 0x3c, 0x00, 0x38, 1, 2, 3, 4, 0x80 | 33, 0x80 | 34, 0x80 | 35, 0x80 | 36, 0x55, 0x66, 0x77, 0x88};
  std::vector<std::uint8_t> q4_k = head, q5_k = head;
  // Byte j of group g: nibble (j + g) % 16 for sub-block 2g, the complement for 2g + 1.
  std::vector<std::uint8_t> nibbles;
  for (int g = 0; g < 4; ++g) {
    for (int j = 0; j < 32; ++j) nibbles.push_back(static_cast<std::uint8_t>((j + g) % 16 | (15 - (j + g) % 16) << 4));
  }
  q4_k.insert(q4_k.end(), nibbles.begin(), nibbles.end());
  // The fifth bit of value j is set in sub-block j % 8 alone.
  for (int j = 0; j < 32; ++j) q5_k.push_back(static_cast<std::uint8_t>(1 << j % 8));
  q5_k.insert(q5_k.end(), nibbles.begin(), nibbles.end());
  const std::vector<float> a = decode(BlockType::q4_k, q4_k), b = decode(BlockType::q5_k, q5_k);
  REQUIRE(a.size() == 256);
  for (int i = 0; i < 256; ++i) {
    CAPTURE(i);
    const int sub = i / 32, j = i % 32, nibble = (j + sub / 2) % 16, q = sub % 2 == 0 ? nibble : 15 - nibble;
    const float scale = static_cast<float>(sub + 1), min = 0.5f * static_cast<float>(sub + 33);
    CHECK(a[static_cast<std::size_t>(i)] == scale * static_cast<float>(q) - min);
    CHECK(b[static_cast<std::size_t>(i)] == scale * static_cast<float>(j % 8 == sub ? q + 16 : q) - min);
  }

  // q6_k: value i of a half is (i + half) % 64, scales -8 to 7, d = 2.
  std::vector<std::uint8_t> q6_k(208);
  for (int i = 0; i < 256; ++i) {
    const int half = i / 128, sub = i / 32 % 4, j = i % 32, q = (i % 128 + half) % 64;
    q6_k[static_cast<std::size_t>(64 * half + 32 * (sub % 2) + j)] |= static_cast<std::uint8_t>((q & 15) << (sub < 2 ? 0 : 4));
    q6_k[static_cast<std::size_t>(128 + 32 * half + j)] |= static_cast<std::uint8_t>(q >> 4 << 2 * sub);
  }
  for (int s = 0; s < 16; ++s) q6_k[static_cast<std::size_t>(192 + s)] = static_cast<std::uint8_t>(s - 8);
  q6_k.insert(q6_k.end(), {0x00, 0x40});
  const std::vector<float> c = decode(BlockType::q6_k, q6_k);
  for (int i = 0; i < 256; ++i) {
    CAPTURE(i);
    CHECK(c[static_cast<std::size_t>(i)] == 2.0f * static_cast<float>(i / 16 - 8) * static_cast<float>((i % 128 + i / 128) % 64 - 32));
  }
}

TEST_CASE("blocks: f32 is copied, NaN payloads and all") {
  const std::vector<std::uint8_t> stored = {0x01, 0x00, 0x80, 0x7f, 0x00, 0x00, 0x80, 0x3f};
  const std::vector<float> values = decode(BlockType::f32, stored);
  CHECK(bits(values[0]) == 0x7f800001u);
  CHECK(values[1] == 1.0f);
}

TEST_CASE("blocks: equal to the gguf package, bit for bit") {
  const Result<SafetensorsFile> golden = read_safetensors(NAMESAKE_FIXTURES "/golden/blocks.safetensors");
  REQUIRE_MESSAGE(golden.ok(), golden.status().message);
  for (const BlockType type : kTypes) {
    if (type == BlockType::f32) continue;
    const std::string name = block_format(type).name;
    CAPTURE(name);
    REQUIRE(golden.value().tensors.contains(name + ".bytes"));
    REQUIRE(golden.value().tensors.contains(name + ".values"));
    const std::vector<float>& stored = golden.value().tensors.at(name + ".bytes").data;
    const std::vector<float>& expected = golden.value().tensors.at(name + ".values").data;
    const std::vector<std::uint8_t> bytes(stored.begin(), stored.end());
    const std::vector<float> values = decode(type, bytes);
    REQUIRE(values.size() == expected.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (std::isnan(expected[i])) {
        REQUIRE(std::isnan(values[i]));
      } else {
        REQUIRE(bits(values[i]) == bits(expected[i]));
      }
    }
  }
}

}  // namespace namesake
