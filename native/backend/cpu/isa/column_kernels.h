// Softmax and losses over buffers [n][kPanel] whose lanes are independent rows of the batch: no lane ever meets another.

namespace namesake::cpu::NAMESAKE_ISA {
namespace {

/// e^x within 2 ulp; 0 below -86.6 (no subnormals), inf above 88.7 (Cephes' polynomial and reduction, Moshier 1992).
inline V exp(V x) {
  const V n = round_nearest(mul(select_less(x, set1(88.8f), select_less(set1(-88.0f), x, x, set1(-88.0f)), set1(88.8f)),
                                set1(1.44269504088896341f)));
  V r = fma(n, set1(-0.693359375f), x);
  r = fma(n, set1(2.12194440e-4f), r);
  V p = set1(1.9875691500e-4f);
  p = fma(p, r, set1(1.3981999507e-3f));
  p = fma(p, r, set1(8.3334519073e-3f));
  p = fma(p, r, set1(4.1665795894e-2f));
  p = fma(p, r, set1(1.6666665459e-1f));
  p = fma(p, r, set1(5.0000001201e-1f));
  p = add(fma(mul(r, r), p, r), set1(1));
  V y = mul(mul(p, pow2(sub(n, set1(1)))), set1(2));  // in two steps: 2^128 is no float
  y = select_less(x, set1(-86.6f), zero(), y);
  return select_less(set1(88.72283f), x, set1(__builtin_inff()), y);
}

constexpr int kGroups = static_cast<int>(kPanel) / kLanes;

/// Hides key j from the lanes i with j > first + i.
inline V hide(V s, int64_t key, int64_t first, int group) {
  const V lane = add(iota(), set1(static_cast<float>(group * kLanes)));
  return select_less(lane, set1(static_cast<float>(key - first)), set1(-__builtin_inff()), s);
}

inline void softmax_columns(float* s, int64_t n, int64_t first, float scale, float* max_out, float* sum_out) {
  for (int g = 0; g < kGroups; ++g) {
    float* lanes = s + g * kLanes;
    V top = set1(-__builtin_inff());
    for (int64_t key = 0; key < n; ++key) {
      V x = mul(load(lanes + key * kPanel), set1(scale));
      if (first >= 0 && key > first) x = hide(x, key, first, g);
      store(lanes + key * kPanel, x);
      top = max(top, x);
    }
    V sum[4] = {zero(), zero(), zero(), zero()};  // key j goes to j % 4: four short chains, the same for every row
    for (int64_t key = 0; key < n; ++key) {
      const V p = exp(sub(load(lanes + key * kPanel), top));
      store(lanes + key * kPanel, p);
      sum[key % 4] = add(sum[key % 4], p);
    }
    store(max_out + g * kLanes, top);
    store(sum_out + g * kLanes, add(add(sum[0], sum[1]), add(sum[2], sum[3])));
  }
}

inline void softmax_columns_backward(float* s, float* ds, int64_t n, int64_t first, float scale, const float* lse,
                                     const float* delta) {
  for (int g = 0; g < kGroups; ++g) {
    const V norm = load(lse + g * kLanes), mean = load(delta + g * kLanes);
    for (int64_t key = 0; key < n; ++key) {
      const int64_t at = key * kPanel + g * kLanes;
      V x = sub(mul(load(s + at), set1(scale)), norm);
      if (first >= 0 && key > first) x = hide(x, key, first, g);
      const V p = exp(x);
      store(s + at, p);
      store(ds + at, mul(mul(p, sub(load(ds + at), mean)), set1(scale)));
    }
  }
}

inline void logsumexp_columns(const float* x, int64_t n, float* max_out, float* sum_out) {
  for (int g = 0; g < kGroups; ++g) {
    const float* lanes = x + g * kLanes;
    V top = set1(-__builtin_inff()), sum[4] = {zero(), zero(), zero(), zero()};
    for (int64_t i = 0; i < n; ++i) top = max(top, load(lanes + i * kPanel));
    for (int64_t i = 0; i < n; ++i) sum[i % 4] = add(sum[i % 4], exp(sub(load(lanes + i * kPanel), top)));
    store(max_out + g * kLanes, top);
    store(sum_out + g * kLanes, add(add(sum[0], sum[1]), add(sum[2], sum[3])));
  }
}

inline void loss_columns(const LossArgs& args) {
  for (int g = 0; g < kGroups; ++g) {
    const int64_t lane = g * kLanes;
    const V high = load(args.lse.high + lane), low = load(args.lse.low + lane);
    const V wc = load(args.ce_weight + lane), wk = load(args.kl_weight + lane);
    const V high_base = args.base ? load(args.lse_base.high + lane) : zero();
    const V low_base = args.base ? load(args.lse_base.low + lane) : zero();
    const V shift = args.base ? load(args.shift + lane) : zero();
    V sum = zero();
    for (int64_t i = 0; i < args.n; ++i) {
      float* at = args.x + i * kPanel + lane;
      const V x = load(at);
      V gradient = zero();
      if (args.write) gradient = mul(add(wc, wk), exp(sub(sub(x, high), low)));
      if (args.base) {
        const V base = load(args.base + i * kPanel + lane), p = exp(sub(sub(base, high_base), low_base));
        sum = fma(p, add(sub(base, x), shift), sum);
        gradient = sub(gradient, mul(wk, p));
      }
      if (args.write) store(at, gradient);
    }
    store(args.kl + lane, sum);
  }
}

}  // namespace
}  // namespace namesake::cpu::NAMESAKE_ISA
