#include "formats/blocks.h"

#include <array>
#include <bit>
#include <cstring>

#include "formats/nf4.h"

namespace namesake {

static_assert(std::endian::native == std::endian::little, "block formats and files are read as little-endian memory");

namespace {

std::uint16_t load_u16(const std::byte* in) {
  std::uint16_t bits;
  std::memcpy(&bits, in, sizeof bits);
  return bits;
}

void decode_f32(const std::byte* in, std::int64_t blocks, float* out) {
  std::memcpy(out, in, static_cast<std::size_t>(blocks) * sizeof(float));
}

void decode_f16(const std::byte* in, std::int64_t blocks, float* out) {
  for (std::int64_t i = 0; i < blocks; ++i) out[i] = f16_to_f32(load_u16(in + 2 * i));
}

void decode_bf16(const std::byte* in, std::int64_t blocks, float* out) {
  for (std::int64_t i = 0; i < blocks; ++i) out[i] = bf16_to_f32(load_u16(in + 2 * i));
}

// f16 d, 16 bytes: low nibbles are values 0-15, high nibbles 16-31; d * (q - 8).
void decode_q4_0(const std::byte* in, std::int64_t blocks, float* out) {
  for (std::int64_t b = 0; b < blocks; ++b, in += 18, out += 32) {
    const float d = f16_to_f32(load_u16(in));
    for (int j = 0; j < 16; ++j) {
      const int q = std::to_integer<int>(in[2 + j]);
      out[j] = d * static_cast<float>((q & 15) - 8);
      out[j + 16] = d * static_cast<float>((q >> 4) - 8);
    }
  }
}

// f16 d, f16 m, 16 bytes of nibbles as in q4_0; d * q + m. The product of an 11-bit d and a
// 4-bit q is exact in f32, so a fused multiply-add gives the same bits.
void decode_q4_1(const std::byte* in, std::int64_t blocks, float* out) {
  for (std::int64_t b = 0; b < blocks; ++b, in += 20, out += 32) {
    const float d = f16_to_f32(load_u16(in));
    const float m = f16_to_f32(load_u16(in + 2));
    for (int j = 0; j < 16; ++j) {
      const int q = std::to_integer<int>(in[4 + j]);
      out[j] = d * static_cast<float>(q & 15) + m;
      out[j + 16] = d * static_cast<float>(q >> 4) + m;
    }
  }
}

// f16 d, 32 int8; d * q.
void decode_q8_0(const std::byte* in, std::int64_t blocks, float* out) {
  for (std::int64_t b = 0; b < blocks; ++b, in += 34, out += 32) {
    const float d = f16_to_f32(load_u16(in));
    for (int j = 0; j < 32; ++j) {
      out[j] = d * static_cast<float>(std::bit_cast<std::int8_t>(in[2 + j]));
    }
  }
}

// In the order of BlockType.
constexpr std::array<BlockFormat, 7> kFormats = {{
    {BlockType::f32, "f32", 0, 1, 4, decode_f32},
    {BlockType::f16, "f16", 1, 1, 2, decode_f16},
    {BlockType::bf16, "bf16", 30, 1, 2, decode_bf16},
    {BlockType::q4_0, "q4_0", 2, 32, 18, decode_q4_0},
    {BlockType::q4_1, "q4_1", 3, 32, 20, decode_q4_1},
    {BlockType::q8_0, "q8_0", 8, 32, 34, decode_q8_0},
    {BlockType::nf4, "nf4", kNoGgufId, 64, 32, nullptr},
}};

}  // namespace

const BlockFormat& block_format(BlockType type) { return kFormats[static_cast<std::size_t>(type)]; }

const BlockFormat* block_format_of_gguf(std::uint32_t gguf_id) {
  for (const BlockFormat& format : kFormats) {
    if (format.gguf_id == gguf_id && gguf_id != kNoGgufId) return &format;
  }
  return nullptr;
}

std::int64_t row_bytes(BlockType type, std::int64_t cols) {
  const BlockFormat& format = block_format(type);
  return cols / format.values_per_block * format.bytes_per_block;
}

void decode_row(const Matrix& matrix, std::int64_t row, float* out) {
  if (matrix.type == BlockType::nf4) return decode_nf4_row(matrix, row, out);
  const BlockFormat& format = block_format(matrix.type);
  format.decode(matrix.row(row), matrix.cols / format.values_per_block, out);
}

float f16_to_f32(std::uint16_t bits) {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000u) << 16;
  const std::uint32_t exponent = (bits >> 10) & 31u;
  const std::uint32_t fraction = bits & 0x3ffu;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000u | fraction << 13);  // infinity, NaN
  if (exponent != 0) return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
  // Zero or subnormal: fraction * 2^-24 is exact in f32.
  const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
  return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(magnitude));
}

std::uint16_t f32_to_bf16(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<std::uint16_t>(bits >> 16 | 0x40u);  // quiet NaN
  return static_cast<std::uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

float bf16_to_f32(std::uint16_t bits) { return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16); }

}  // namespace namesake
