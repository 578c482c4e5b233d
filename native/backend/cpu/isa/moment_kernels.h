// AdamW on moments of 8 bits, a block of 256 values at a time: decoded, updated by row_kernels.h's adamw, encoded again.

namespace namesake::cpu::NAMESAKE_ISA {
namespace {

inline void decode_moment(const CodeMap& map, const uint8_t* codes, float absmax, int64_t n, float* out) {
  for (int64_t i = 0; i < n; ++i) out[i] = map.values[codes[i]] * absmax;
}

/// The largest magnitude, of values that are finite.
inline float largest(const float* x, int64_t n) {
  constexpr int kChains = 16;
  float chains[kChains] = {};
  int64_t i = 0;
  for (; i + kChains <= n; i += kChains) {
    for (int j = 0; j < kChains; ++j) {
      const float magnitude = __builtin_fabsf(x[i + j]);
      chains[j] = magnitude > chains[j] ? magnitude : chains[j];
    }
  }
  for (int j = 0; i < n; ++i, ++j) {
    const float magnitude = __builtin_fabsf(x[i]);
    chains[j] = magnitude > chains[j] ? magnitude : chains[j];
  }
  for (int j = 1; j < kChains; ++j) chains[0] = chains[j] > chains[0] ? chains[j] : chains[0];
  return chains[0];
}

/// Codes of the nearest values, without a branch to mispredict.
inline float encode_moment(const CodeMap& map, const float* x, int64_t n, uint8_t* codes) {
  const float absmax = largest(x, n);
  float scaled[kMomentBlock];
  for (int64_t i = 0; i < n; ++i) scaled[i] = absmax == 0 ? 0.0f : x[i] / absmax;
  for (int64_t i = 0; i < n; ++i) {
    const int code = map.first[__builtin_bit_cast(uint32_t, scaled[i]) >> 16];
    codes[i] = static_cast<uint8_t>(code + (scaled[i] > map.bounds[code] ? 1 : 0));
  }
  return absmax;
}

inline void adamw_8bit(const AdamWArgs& args, int64_t n, const float* grad, float* value, const CodedMoment& m, const CodedMoment& v) {
  float first[kMomentBlock], second[kMomentBlock];
  for (int64_t at = 0, block = 0; at < n; at += kMomentBlock, ++block) {
    const int64_t count = n - at < kMomentBlock ? n - at : kMomentBlock;
    decode_moment(m.map, m.codes + at, m.absmax[block], count, first);
    decode_moment(v.map, v.codes + at, v.absmax[block], count, second);
    adamw(args, count, grad + at, value + at, first, second);
    m.absmax[block] = encode_moment(m.map, first, count, m.codes + at);
    v.absmax[block] = encode_moment(v.map, second, count, v.codes + at);
  }
}

}  // namespace
}  // namespace namesake::cpu::NAMESAKE_ISA
