// Work on one row, or on plain elements: cached attention, norms, rope, rounding, SwiGLU, AdamW.

namespace namesake::cpu::NAMESAKE_ISA {
namespace {

// Heads of a group look at the same keys and values: as many at a time as a product has columns share each load. A head's sums have the
// same order whatever stands beside it.

/// Rows of the cache that are on their way: one head's are short and lie apart, which the hardware does not foresee well.
constexpr int64_t kRowsAhead = 16;

/// scores[h * ld + j] = query head h times key j.
template <int Heads>
inline void score_keys(const float* q, const float* k, int64_t stride, int64_t n, int64_t D, float* scores, int64_t ld) {
  for (int64_t j = 0; j < n; j += 4) {
    V sum[Heads][4];
    for (int h = 0; h < Heads; ++h) {
      for (int r = 0; r < 4; ++r) sum[h][r] = zero();
    }
    for (int64_t d = 0; d < D; d += kLanes) {
      const int64_t left = D - d;
      V x[Heads];
#pragma GCC unroll 8
      for (int h = 0; h < Heads; ++h) x[h] = left < kLanes ? load_n(q + h * D + d, left) : load(q + h * D + d);
#pragma GCC unroll 4
      for (int r = 0; r < 4; ++r) {
        const float* at = k + (j + r < n ? j + r : n - 1) * stride + d;
        __builtin_prefetch(at + kRowsAhead * stride);
        const V key = left < kLanes ? load_n(at, left) : load(at);
#pragma GCC unroll 8
        for (int h = 0; h < Heads; ++h) sum[h][r] = fma(x[h], key, sum[h][r]);
      }
    }
#pragma GCC unroll 8
    for (int h = 0; h < Heads; ++h) reduce4(sum[h], scores + h * ld + j);
  }
}

/// scores = exp(scale * scores - their maximum), 0 from n to the next multiple of kLanes. Returns 1 / their sum.
inline float softmax_scores(float* scores, int64_t n, float scale) {
  V top = set1(-__builtin_inff());
  for (int64_t j = 0; j < n; j += kLanes) {
    const int64_t left = n - j;
    V x = mul(load(scores + j), set1(scale));
    if (left < kLanes) x = select_less(iota(), set1(static_cast<float>(left)), x, set1(-__builtin_inff()));
    store(scores + j, x);
    top = max(top, x);
  }
  const float highest = reduce_max(top);
  V sum = zero();
  for (int64_t j = 0; j < n; j += kLanes) {
    const V p = exp(sub(load(scores + j), set1(highest)));
    store(scores + j, p);
    sum = add(sum, p);
  }
  return 1.0f / reduce_add(sum);
}

/// o[h * D .. + Vectors * kLanes] = scale[h] * sum over j of scores[h * ld + j] v[j], j ascending; of a vector that is not full `left` values.
template <int Heads, int Vectors>
inline void weigh_values(const float* v, int64_t stride, int64_t n, const float* scores, int64_t ld, const float* scale, int64_t left, int64_t D,
                         float* o) {
  V sum[Heads][Vectors];
  for (int h = 0; h < Heads; ++h) {
    for (int i = 0; i < Vectors; ++i) sum[h][i] = zero();
  }
  for (int64_t j = 0; j < n; ++j) {
    V value[Vectors];
#pragma GCC unroll 4
    for (int i = 0; i < Vectors; ++i) {
      const float* at = v + j * stride + i * kLanes;
      __builtin_prefetch(at + kRowsAhead * stride);
      value[i] = left < kLanes ? load_n(at, left) : load(at);
    }
#pragma GCC unroll 8
    for (int h = 0; h < Heads; ++h) {
      const V p = set1(scores[h * ld + j]);
#pragma GCC unroll 4
      for (int i = 0; i < Vectors; ++i) sum[h][i] = fma(p, value[i], sum[h][i]);
    }
  }
#pragma GCC unroll 8
  for (int h = 0; h < Heads; ++h) {
#pragma GCC unroll 4
    for (int i = 0; i < Vectors; ++i) {
      float* at = o + h * D + i * kLanes;
      const V y = mul(sum[h][i], set1(scale[h]));
      left < kLanes ? store_n(at, y, left) : store(at, y);
    }
  }
}

template <int Heads>
inline void attention_heads_of(const float* q, const float* k, const float* v, int64_t stride, int64_t n, int64_t D, float scale,
                               float* scores, float* o) {
  const int64_t ld = (n + 15) / 16 * 16;
  float inverse[Heads];
  score_keys<Heads>(q, k, stride, n, D, scores, ld);
  for (int h = 0; h < Heads; ++h) inverse[h] = softmax_scores(scores + h * ld, n, scale);
  int64_t d = 0;
  for (; d + 4 * kLanes <= D; d += 4 * kLanes) weigh_values<Heads, 4>(v + d, stride, n, scores, ld, inverse, kLanes, D, o + d);
  for (; d < D; d += kLanes) weigh_values<Heads, 1>(v + d, stride, n, scores, ld, inverse, D - d, D, o + d);
}

template <int Heads>
inline void attention_heads_at_most(int64_t heads, const float* q, const float* k, const float* v, int64_t stride, int64_t n, int64_t D,
                                    float scale, float* scores, float* o) {
  if (heads == Heads) {
    attention_heads_of<Heads>(q, k, v, stride, n, D, scale, scores, o);
  } else if constexpr (Heads > 1) {
    attention_heads_at_most<Heads - 1>(heads, q, k, v, stride, n, D, scale, scores, o);
  }
}

static_assert(kDotColumns <= kHeadsTogether);

inline void attention_heads(const float* q, int64_t heads, const float* k, const float* v, int64_t stride, int64_t n, int64_t D, float scale,
                            float* scores, float* o) {
  for (int64_t h = 0; h < heads; h += kDotColumns) {
    const int64_t count = heads - h < kDotColumns ? heads - h : kDotColumns;
    attention_heads_at_most<kDotColumns>(count, q + h * D, k, v, stride, n, D, scale, scores, o + h * D);
  }
}

inline float rmsnorm_row(const float* x, const float* weight, float eps, int64_t C, float* y) {
  const float rstd = 1.0f / __builtin_sqrtf(dot_row(x, x, C) / static_cast<float>(C) + eps);
  for (int64_t i = 0; i < C; ++i) y[i] = x[i] * rstd * weight[i];
  return rstd;
}

inline void rmsnorm_row_backward(const float* dy, const float* x, const float* weight, float rstd, int64_t C, float* dx) {
  V sum = zero();
  int64_t i = 0;
  for (; i + kLanes <= C; i += kLanes) sum = fma(mul(load(dy + i), load(weight + i)), load(x + i), sum);
  if (i < C) sum = fma(mul(load_n(dy + i, C - i), load_n(weight + i, C - i)), load_n(x + i, C - i), sum);
  const float along = reduce_add(sum) * rstd * rstd / static_cast<float>(C);
  for (i = 0; i < C; ++i) dx[i] += rstd * (dy[i] * weight[i] - along * x[i]);
}

inline void rope_row(float* x, const float* cos, const float* sin, int64_t half, bool adjacent, float sign) {
  if (adjacent) {
    for (int64_t i = 0; i < half; ++i) {
      const float a = x[2 * i], b = x[2 * i + 1], s = sign * sin[i];
      x[2 * i] = a * cos[i] - b * s;
      x[2 * i + 1] = a * s + b * cos[i];
    }
  } else {
    for (int64_t i = 0; i < half; ++i) {
      const float a = x[i], b = x[i + half], s = sign * sin[i];
      x[i] = a * cos[i] - b * s;
      x[i + half] = a * s + b * cos[i];
    }
  }
}

inline void add_row(const float* x, int64_t n, float* y) {
  for (int64_t i = 0; i < n; ++i) y[i] += x[i];
}

// Plain loops over integers: compilers write them in vectors.

inline void to_bf16(const float* x, int64_t n, uint16_t* y) {
  for (int64_t i = 0; i < n; ++i) {
    uint32_t bits;
    __builtin_memcpy(&bits, x + i, sizeof(bits));
    const uint32_t nearest_even = bits + 0x7fffu + (bits >> 16 & 1u), quiet_nan = bits | 0x400000u;
    y[i] = static_cast<uint16_t>(((bits & 0x7fffffffu) > 0x7f800000u ? quiet_nan : nearest_even) >> 16);
  }
}

inline void from_bf16(const uint16_t* x, int64_t n, float* y) {
  for (int64_t i = 0; i < n; ++i) {
    const uint32_t bits = static_cast<uint32_t>(x[i]) << 16;
    __builtin_memcpy(y + i, &bits, sizeof(bits));
  }
}

inline V sigmoid(V x) { return div(set1(1), add(set1(1), exp(sub(zero(), x)))); }

inline void swiglu(const float* gate, const float* up, int64_t n, float* y) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    const V g = load(gate + i);
    store(y + i, mul(mul(g, sigmoid(g)), load(up + i)));
  }
  if (i < n) {
    const V g = load_n(gate + i, n - i);
    store_n(y + i, mul(mul(g, sigmoid(g)), load_n(up + i, n - i)), n - i);
  }
}

inline void swiglu_backward(const float* dy, const float* gate, const float* up, int64_t n, float* dgate, float* dup) {
  for (int64_t i = 0; i < n; i += kLanes) {
    const int64_t left = n - i;
    const bool whole = left >= kLanes;
    const V d = whole ? load(dy + i) : load_n(dy + i, left), g = whole ? load(gate + i) : load_n(gate + i, left);
    const V u = whole ? load(up + i) : load_n(up + i, left), s = sigmoid(g), silu = mul(g, s);
    // silu' = s (1 + g (1 - s))
    const V slope = mul(s, fma(g, sub(set1(1), s), set1(1)));
    const V to_gate = mul(mul(d, u), slope), to_up = mul(d, silu);
    whole ? store(dgate + i, to_gate) : store_n(dgate + i, to_gate, left);
    whole ? store(dup + i, to_up) : store_n(dup + i, to_up, left);
  }
}

/// Eight f64 lanes, then a tree of three levels.
inline double sum_of_squares(const float* x, int64_t n) {
  double lanes[8] = {};
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    for (int j = 0; j < 8; ++j) lanes[j] += static_cast<double>(x[i + j]) * static_cast<double>(x[i + j]);
  }
  for (; i < n; ++i) lanes[i % 8] += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  return ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
}

inline void adamw(const AdamWArgs& args, int64_t n, const float* grad, float* value, float* m, float* v) {
  const V b1 = set1(args.beta1), b2 = set1(args.beta2), c1 = set1(1 - args.beta1), c2 = set1(1 - args.beta2);
  for (int64_t i = 0; i < n; i += kLanes) {
    const int64_t left = n - i;
    const bool whole = left >= kLanes;
    const V g = mul(whole ? load(grad + i) : load_n(grad + i, left), set1(args.grad_scale));
    const V m1 = fma(b1, whole ? load(m + i) : load_n(m + i, left), mul(c1, g));
    const V v1 = fma(b2, whole ? load(v + i) : load_n(v + i, left), mul(c2, mul(g, g)));
    const V root = fma(sqrt(v1), set1(args.root_scale), set1(args.eps));
    const V old = mul(whole ? load(value + i) : load_n(value + i, left), set1(args.keep));
    const V next = sub(old, div(mul(set1(args.step_size), m1), root));
    whole ? store(m + i, m1) : store_n(m + i, m1, left);
    whole ? store(v + i, v1) : store_n(v + i, v1, left);
    whole ? store(value + i, next) : store_n(value + i, next, left);
  }
}

}  // namespace
}  // namespace namesake::cpu::NAMESAKE_ISA
