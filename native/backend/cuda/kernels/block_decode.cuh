// Block decode: eight neighbouring values of a row, out of each format that a frozen weight is stored in. The layouts and the arithmetic
// are those of formats/blocks.cpp, bit for bit: products of scales and quants are exact in f32, so that a fused multiply-add
// rounds as often as the specification. Blocks of most formats start at two bytes, so that nothing wider is loaded there.
#pragma once

#include "blocks_args.h"
#include "dynamic_map.cuh"
#include "half.cuh"

namespace namesake::cuda {

/// Values that a thread decodes at a time. A block has a whole number of them, but for formats of single values.
inline constexpr int kDecoded = 8;

__device__ __forceinline__ unsigned load_u16(const std::uint8_t* p) { return *reinterpret_cast<const std::uint16_t*>(p); }
__device__ __forceinline__ unsigned load_u32(const std::uint8_t* p) { return *reinterpret_cast<const std::uint32_t*>(p); }
__device__ __forceinline__ float load_f16(const std::uint8_t* p) { return f16_to_float(static_cast<unsigned short>(load_u16(p))); }

/// Eight bytes that start at two.
__device__ __forceinline__ uint2 load_bytes(const std::uint8_t* p) {
  return make_uint2(load_u16(p) | load_u16(p + 2) << 16, load_u16(p + 4) | load_u16(p + 6) << 16);
}

/// Eight bytes that start at four.
__device__ __forceinline__ uint2 load_words(const std::uint8_t* p) { return make_uint2(load_u32(p), load_u32(p + 4)); }

/// Byte j of eight.
__device__ __forceinline__ int byte_of(uint2 bytes, int j) { return static_cast<int>((j < 4 ? bytes.x : bytes.y) >> (j % 4 * 8) & 255u); }

/// The low (shift 0) or high (4) nibble of each byte.
__device__ __forceinline__ uint2 nibbles(uint2 bytes, int shift) {
  return make_uint2(bytes.x >> shift & 0x0f0f0f0fu, bytes.y >> shift & 0x0f0f0f0fu);
}

/// Eight values of f32 at p, zeros from `count` on; with kWhole there are eight, at 16 bytes.
template <bool kWhole = false>
__device__ __forceinline__ void load_floats(const float* p, std::int64_t count, float (&v)[kDecoded]) {
  if (kWhole || (count >= kDecoded && at_16(p))) {
    const float4 low = reinterpret_cast<const float4*>(p)[0], high = reinterpret_cast<const float4*>(p)[1];
    v[0] = low.x, v[1] = low.y, v[2] = low.z, v[3] = low.w;
    v[4] = high.x, v[5] = high.y, v[6] = high.z, v[7] = high.w;
  } else {
#pragma unroll
    for (int j = 0; j < kDecoded; ++j) v[j] = j < count ? p[j] : 0.0f;
  }
}

/// A format of single values: rows may start anywhere and end anywhere. kTables counts floats of shared memory that decoding needs.
struct F32Blocks {
  static constexpr int kTables = 0;
  static constexpr bool kWhole = false;  ///< whether rows are whole groups of kDecoded values
  static __device__ __forceinline__ void decode(const BlockView& m, std::int64_t row, std::int64_t col, const float*, float (&v)[kDecoded]) {
    const float* p = reinterpret_cast<const float*>(m.data + row * m.row_bytes) + col;
    load_floats(p, m.cols - col, v);
  }
};

template <bool kBrain>
struct HalfBlocks {
  static constexpr int kTables = 0;
  static constexpr bool kWhole = false;
  static __device__ __forceinline__ float value(unsigned bits) {
    return kBrain ? bf16_to_float(static_cast<unsigned short>(bits)) : f16_to_float(static_cast<unsigned short>(bits));
  }
  static __device__ __forceinline__ void decode(const BlockView& m, std::int64_t row, std::int64_t col, const float*, float (&v)[kDecoded]) {
    const std::uint16_t* p = reinterpret_cast<const std::uint16_t*>(m.data + row * m.row_bytes) + col;
    const std::int64_t count = m.cols - col;
    if (count >= kDecoded && at_16(p)) {
      const uint4 bits = *reinterpret_cast<const uint4*>(p);
      const unsigned words[4] = {bits.x, bits.y, bits.z, bits.w};
#pragma unroll
      for (int j = 0; j < kDecoded; ++j) v[j] = value(words[j / 2] >> (j % 2 * 16) & 0xffffu);
    } else {
#pragma unroll
      for (int j = 0; j < kDecoded; ++j) v[j] = j < count ? value(p[j]) : 0.0f;
    }
  }
};

/// What the formats of real blocks share: finding the block and the place in it.
template <class Format, int kValues, int kBytes>
struct BlockFormatBase {
  static constexpr int kTables = 0;
  static constexpr bool kWhole = true;
  static __device__ __forceinline__ void decode(const BlockView& m, std::int64_t row, std::int64_t col, const float*, float (&v)[kDecoded]) {
    const unsigned at = static_cast<unsigned>(col);
    Format::decode_block(m.data + row * m.row_bytes + std::int64_t{at / kValues} * kBytes, static_cast<int>(at % kValues), v);
  }
};

/// d * (q - 8)
struct Q4_0Blocks : BlockFormatBase<Q4_0Blocks, 32, 18> {
  static __device__ __forceinline__ void decode_block(const std::uint8_t* in, int at, float (&v)[kDecoded]) {
    const float d = load_f16(in);
    const uint2 q = nibbles(load_bytes(in + 2 + at % 16), at / 16 * 4);
#pragma unroll
    for (int j = 0; j < kDecoded; ++j) v[j] = d * static_cast<float>(byte_of(q, j) - 8);
  }
};

/// d * q + m
struct Q4_1Blocks : BlockFormatBase<Q4_1Blocks, 32, 20> {
  static __device__ __forceinline__ void decode_block(const std::uint8_t* in, int at, float (&v)[kDecoded]) {
    const float d = load_f16(in), m = load_f16(in + 2);
    const uint2 q = nibbles(load_words(in + 4 + at % 16), at / 16 * 4);
#pragma unroll
    for (int j = 0; j < kDecoded; ++j) v[j] = d * static_cast<float>(byte_of(q, j)) + m;
  }
};

/// d * (q - 16), bit j of `fifth` above the nibble of value j
struct Q5_0Blocks : BlockFormatBase<Q5_0Blocks, 32, 22> {
  static __device__ __forceinline__ void decode_block(const std::uint8_t* in, int at, float (&v)[kDecoded]) {
    const float d = load_f16(in);
    const unsigned fifth = (load_u16(in + 2) | load_u16(in + 4) << 16) >> at;
    const uint2 q = nibbles(load_bytes(in + 6 + at % 16), at / 16 * 4);
#pragma unroll
    for (int j = 0; j < kDecoded; ++j) v[j] = d * static_cast<float>((byte_of(q, j) | static_cast<int>(fifth >> j & 1u) << 4) - 16);
  }
};

/// d * q + m with fifth bits as above
struct Q5_1Blocks : BlockFormatBase<Q5_1Blocks, 32, 24> {
  static __device__ __forceinline__ void decode_block(const std::uint8_t* in, int at, float (&v)[kDecoded]) {
    const float d = load_f16(in), m = load_f16(in + 2);
    const unsigned fifth = load_u32(in + 4) >> at;
    const uint2 q = nibbles(load_words(in + 8 + at % 16), at / 16 * 4);
#pragma unroll
    for (int j = 0; j < kDecoded; ++j) v[j] = d * static_cast<float>(byte_of(q, j) | static_cast<int>(fifth >> j & 1u) << 4) + m;
  }
};

/// d * q
struct Q8_0Blocks : BlockFormatBase<Q8_0Blocks, 32, 34> {
  static __device__ __forceinline__ void decode_block(const std::uint8_t* in, int at, float (&v)[kDecoded]) {
    const float d = load_f16(in);
    const uint2 q = load_bytes(in + 2 + at);
#pragma unroll
    for (int j = 0; j < kDecoded; ++j) v[j] = d * static_cast<float>(static_cast<signed char>(byte_of(q, j)));
  }
};

/// Six bits each of scale and minimum for sub-block `sub` of q4_k and q5_k, out of 12 bytes (formats/blocks.cpp).
__device__ __forceinline__ float2 scale_and_min(const std::uint8_t* in, int sub) {
  if (sub < 4) return make_float2(static_cast<float>(in[sub] & 63), static_cast<float>(in[sub + 4] & 63));
  const int low = in[sub + 4];
  return make_float2(static_cast<float>((low & 15) | in[sub - 4] >> 6 << 4), static_cast<float>(low >> 4 | in[sub] >> 6 << 4));
}

/// (d * scale) * q - dmin * min
struct Q4KBlocks : BlockFormatBase<Q4KBlocks, 256, 144> {
  static __device__ __forceinline__ void decode_block(const std::uint8_t* in, int at, float (&v)[kDecoded]) {
    const int sub = at / 32;
    const float2 s = scale_and_min(in + 4, sub);
    const float scale = load_f16(in) * s.x, min = load_f16(in + 2) * s.y;
    const uint2 q = nibbles(load_words(in + 16 + sub / 2 * 32 + at % 32), sub % 2 * 4);
#pragma unroll
    for (int j = 0; j < kDecoded; ++j) v[j] = scale * static_cast<float>(byte_of(q, j)) - min;
  }
};

/// The same with bit `sub` of byte j of the fifth bits above value j of sub-block `sub`
struct Q5KBlocks : BlockFormatBase<Q5KBlocks, 256, 176> {
  static __device__ __forceinline__ void decode_block(const std::uint8_t* in, int at, float (&v)[kDecoded]) {
    const int sub = at / 32;
    const float2 s = scale_and_min(in + 4, sub);
    const float scale = load_f16(in) * s.x, min = load_f16(in + 2) * s.y;
    const uint2 fifth = load_words(in + 16 + at % 32), q = nibbles(load_words(in + 48 + sub / 2 * 32 + at % 32), sub % 2 * 4);
#pragma unroll
    for (int j = 0; j < kDecoded; ++j) {
      v[j] = scale * static_cast<float>(byte_of(q, j) | (byte_of(fifth, j) >> sub & 1) << 4) - min;
    }
  }
};

/// (d * scale) * (q - 32)
struct Q6KBlocks : BlockFormatBase<Q6KBlocks, 256, 210> {
  static __device__ __forceinline__ void decode_block(const std::uint8_t* in, int at, float (&v)[kDecoded]) {
    const int sub = at / 32, half = sub / 4, place = sub % 4, in_sub = at % 32;
    const float scale = load_f16(in + 208) * static_cast<float>(static_cast<signed char>(in[192 + at / 16]));
    const uint2 low = nibbles(load_bytes(in + half * 64 + place % 2 * 32 + in_sub), place / 2 * 4);
    const uint2 high = load_bytes(in + 128 + half * 32 + in_sub);
#pragma unroll
    for (int j = 0; j < kDecoded; ++j) {
      v[j] = scale * static_cast<float>((byte_of(low, j) | (byte_of(high, j) >> (2 * place) & 3) << 4) - 32);
    }
  }
};

/// Value `code` of the 16 of nf4. Its absmax values are codes of the signed dynamic map.
__device__ __forceinline__ float nf4_value(int code) {
  constexpr float kValues[16] = {-1.0f,
                                 -0.6961928009986877f,
                                 -0.5250730514526367f,
                                 -0.39491748809814453f,
                                 -0.28444138169288635f,
                                 -0.18477343022823334f,
                                 -0.09105003625154495f,
                                 0.0f,
                                 0.07958029955625534f,
                                 0.16093020141124725f,
                                 0.24611230194568634f,
                                 0.33791524171829224f,
                                 0.44070982933044434f,
                                 0.5626170039176941f,
                                 0.7229568362236023f,
                                 1.0f};
  float value = kValues[0];
#pragma unroll
  for (int i = 1; i < 16; ++i) value = code == i ? kValues[i] : value;
  return value;
}

/// Codes with the element 2j in the high nibble, times the absmax of the 64 values, which is itself a code. Needs tables in
/// shared memory: the 16 values, then the 256 of the map.
struct Nf4Blocks {
  static constexpr int kTables = 16 + 256;
  static constexpr bool kWhole = true;
  static __device__ __forceinline__ void decode(const BlockView& m, std::int64_t row, std::int64_t col, const float* tables, float (&v)[kDecoded]) {
    const std::int64_t block = row * (m.cols / 64) + col / 64;
    const float absmax = __fadd_rn(__fmul_rn(tables[16 + m.absmax[block]], m.nested[block / 256]), m.offset);
    const unsigned codes = load_u32(m.data + row * m.row_bytes + col / 2);
#pragma unroll
    for (int j = 0; j < kDecoded; ++j) v[j] = tables[codes >> (j / 2 * 8 + (j % 2 ? 0 : 4)) & 15u] * absmax;
  }
};

/// Fills the tables of a format, all threads together; there is nothing to fill but for nf4.
template <class Format>
__device__ __forceinline__ void fill_tables(float* tables) {
  if constexpr (Format::kTables > 0) {
    for (unsigned i = threadIdx.x; i < Format::kTables; i += blockDim.x) {
      tables[i] = i < 16 ? nf4_value(static_cast<int>(i)) : signed_dynamic_value(static_cast<int>(i) - 16);
    }
    __syncthreads();
  }
}

/// One line a format: X(name as in block_format(), decoder).
#define NAMESAKE_BLOCK_FORMATS(X)                                                                                                \
  X(f32, F32Blocks)                                                                                                              \
  X(f16, HalfBlocks<false>)                                                                                                      \
  X(bf16, HalfBlocks<true>)                                                                                                      \
  X(q4_0, Q4_0Blocks)                                                                                                            \
  X(q4_1, Q4_1Blocks)                                                                                                            \
  X(q5_0, Q5_0Blocks)                                                                                                            \
  X(q5_1, Q5_1Blocks)                                                                                                            \
  X(q8_0, Q8_0Blocks)                                                                                                            \
  X(q4_k, Q4KBlocks)                                                                                                             \
  X(q5_k, Q5KBlocks)                                                                                                             \
  X(q6_k, Q6KBlocks)                                                                                                             \
  X(nf4, Nf4Blocks)

}  // namespace namesake::cuda
