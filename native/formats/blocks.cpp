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

std::uint32_t load_u32(const std::byte* in) {
  std::uint32_t bits;
  std::memcpy(&bits, in, sizeof bits);
  return bits;
}

int byte_at(const std::byte* in, int i) { return std::to_integer<int>(in[i]); }

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

// Bit j of `bits` as the fifth bit of a value.
int fifth_bit(std::uint32_t bits, int j) { return static_cast<int>(bits >> j & 1u) << 4; }

// f16 d, u32 of fifth bits (bit j is value j's), 16 bytes of nibbles as in q4_0; d * (q - 16).
void decode_q5_0(const std::byte* in, std::int64_t blocks, float* out) {
  for (std::int64_t b = 0; b < blocks; ++b, in += 22, out += 32) {
    const float d = f16_to_f32(load_u16(in));
    const std::uint32_t fifth = load_u32(in + 2);
    for (int j = 0; j < 16; ++j) {
      const int q = byte_at(in + 6, j);
      out[j] = d * static_cast<float>(((q & 15) | fifth_bit(fifth, j)) - 16);
      out[j + 16] = d * static_cast<float>((q >> 4 | fifth_bit(fifth, j + 16)) - 16);
    }
  }
}

// f16 d, f16 m, then as in q5_0; d * q + m, the product exact as in q4_1.
void decode_q5_1(const std::byte* in, std::int64_t blocks, float* out) {
  for (std::int64_t b = 0; b < blocks; ++b, in += 24, out += 32) {
    const float d = f16_to_f32(load_u16(in));
    const float m = f16_to_f32(load_u16(in + 2));
    const std::uint32_t fifth = load_u32(in + 4);
    for (int j = 0; j < 16; ++j) {
      const int q = byte_at(in + 8, j);
      out[j] = d * static_cast<float>((q & 15) | fifth_bit(fifth, j)) + m;
      out[j + 16] = d * static_cast<float>(q >> 4 | fifth_bit(fifth, j + 16)) + m;
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

// K-quants: 256 values a block, in eight sub-blocks of 32. A scale of six or eight bits times d is exact in f32, and so is
// that times a quant of up to six bits, so that a fused multiply-add gives the same bits here, too.

struct ScaleAndMin {
  float scale, min;
};

// Six bits each for sub-block `sub` of q4_k and q5_k, out of 12 bytes: sub-blocks 0-3 have their scale in the low bits of bytes
// 0-3 and their minimum in those of bytes 4-7. Sub-blocks 4-7 have the low nibbles of both in bytes 8-11 (scale low, minimum
// high) and the two bits above in the tops of bytes 0-3 and 4-7.
ScaleAndMin scale_and_min(const std::byte* in, int sub) {
  if (sub < 4) return {static_cast<float>(byte_at(in, sub) & 63), static_cast<float>(byte_at(in, sub + 4) & 63)};
  const int low = byte_at(in, sub + 4);
  return {static_cast<float>((low & 15) | byte_at(in, sub - 4) >> 6 << 4), static_cast<float>(low >> 4 | byte_at(in, sub) >> 6 << 4)};
}

// f16 d, f16 dmin, 12 bytes of scales and minima, 128 bytes: each 32 hold the nibbles of two sub-blocks, the first low, the
// second high; (d * scale) * q - dmin * min.
void decode_q4_k(const std::byte* in, std::int64_t blocks, float* out) {
  for (std::int64_t b = 0; b < blocks; ++b, in += 144) {
    const float d = f16_to_f32(load_u16(in)), dmin = f16_to_f32(load_u16(in + 2));
    for (int sub = 0; sub < 8; ++sub, out += 32) {
      const ScaleAndMin s = scale_and_min(in + 4, sub);
      const float scale = d * s.scale, min = dmin * s.min;
      const std::byte* nibbles = in + 16 + sub / 2 * 32;
      for (int j = 0; j < 32; ++j) {
        out[j] = scale * static_cast<float>(byte_at(nibbles, j) >> (sub % 2 * 4) & 15) - min;
      }
    }
  }
}

// As q4_k with 32 bytes of fifth bits before the nibbles: bit `sub` of byte j belongs to value j of sub-block `sub`.
void decode_q5_k(const std::byte* in, std::int64_t blocks, float* out) {
  for (std::int64_t b = 0; b < blocks; ++b, in += 176) {
    const float d = f16_to_f32(load_u16(in)), dmin = f16_to_f32(load_u16(in + 2));
    for (int sub = 0; sub < 8; ++sub, out += 32) {
      const ScaleAndMin s = scale_and_min(in + 4, sub);
      const float scale = d * s.scale, min = dmin * s.min;
      const std::byte *fifth = in + 16, *nibbles = in + 48 + sub / 2 * 32;
      for (int j = 0; j < 32; ++j) {
        const int q = (byte_at(nibbles, j) >> (sub % 2 * 4) & 15) | (byte_at(fifth, j) >> sub & 1) << 4;
        out[j] = scale * static_cast<float>(q) - min;
      }
    }
  }
}

// 128 bytes of low nibbles, 64 of upper two bits, 16 int8 scales (one for each 16 values), f16 d. Each half of 128 values has
// 64 and 32 of the bytes: the low nibbles are sub-blocks 0 and 1, the high ones 2 and 3, and bits 2 sub, 2 sub + 1 of the other
// 32 bytes stand above them; (d * scale) * (q - 32).
void decode_q6_k(const std::byte* in, std::int64_t blocks, float* out) {
  for (std::int64_t b = 0; b < blocks; ++b, in += 210) {
    const float d = f16_to_f32(load_u16(in + 208));
    for (int sub = 0; sub < 8; ++sub, out += 32) {
      const int half = sub / 4, place = sub % 4;
      const std::byte *low = in + half * 64 + place % 2 * 32, *high = in + 128 + half * 32, *scales = in + 192 + 2 * sub;
      for (int j = 0; j < 32; ++j) {
        const float scale = d * static_cast<float>(std::bit_cast<std::int8_t>(scales[j / 16]));
        const int q = (byte_at(low, j) >> (place / 2 * 4) & 15) | (byte_at(high, j) >> (2 * place) & 3) << 4;
        out[j] = scale * static_cast<float>(q - 32);
      }
    }
  }
}

// In the order of BlockType.
constexpr std::array<BlockFormat, 12> kFormats = {{
    {BlockType::f32, "f32", 0, 1, 4, decode_f32},
    {BlockType::f16, "f16", 1, 1, 2, decode_f16},
    {BlockType::bf16, "bf16", 30, 1, 2, decode_bf16},
    {BlockType::q4_0, "q4_0", 2, 32, 18, decode_q4_0},
    {BlockType::q4_1, "q4_1", 3, 32, 20, decode_q4_1},
    {BlockType::q5_0, "q5_0", 6, 32, 22, decode_q5_0},
    {BlockType::q5_1, "q5_1", 7, 32, 24, decode_q5_1},
    {BlockType::q8_0, "q8_0", 8, 32, 34, decode_q8_0},
    {BlockType::q4_k, "q4_k", 12, 256, 144, decode_q4_k},
    {BlockType::q5_k, "q5_k", 13, 256, 176, decode_q5_k},
    {BlockType::q6_k, "q6_k", 14, 256, 210, decode_q6_k},
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
