// Attention over packed sequences (training) and over the KV cache (generation).
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "backend/reference/reference_backend.h"

namespace namesake {

namespace {

/// Turns scores into probabilities in place; returns log Σ exp(score).
double softmax(std::vector<double>& scores) {
  double most = -std::numeric_limits<double>::infinity();
  for (double s : scores) most = std::max(most, s);
  double sum = 0;
  for (double& s : scores) sum += s = std::exp(s - most);
  for (double& s : scores) s /= sum;
  return most + std::log(sum);
}

/// o [D] = softmax(scale * q kᵀ) v over the first `seen` rows of k and v, whose rows are `stride` floats apart.
double attend(const float* q, const float* k, const float* v, std::int64_t seen, std::int64_t stride, std::int64_t D,
              float scale, std::vector<double>& scores, float* o) {
  scores.resize(static_cast<std::size_t>(seen));
  for (std::int64_t j = 0; j < seen; ++j) {
    scores[static_cast<std::size_t>(j)] = double(scale) * dot(q, k + j * stride, D);
  }
  const double lse = softmax(scores);
  for (std::int64_t d = 0; d < D; ++d) {
    double sum = 0;
    for (std::int64_t j = 0; j < seen; ++j) sum += scores[static_cast<std::size_t>(j)] * double(v[j * stride + d]);
    o[d] = float(sum);
  }
  return lse;
}

}  // namespace

Status ReferenceBackend::attention_forward(const float* q, const float* k, const float* v, const std::int32_t* cu_seqlens,
                                           std::int64_t S, const AttentionShape& shape, float* o, float* lse) {
  const std::int64_t H = shape.heads, G = shape.kv_heads, D = shape.head_dim;
  std::vector<double> scores;
  for (std::int64_t s = 0; s < S; ++s) {
    const std::int64_t begin = cu_seqlens[s], end = cu_seqlens[s + 1];
    for (std::int64_t i = begin; i < end; ++i) {
      if (cancelled()) return cancelled_status();
      const std::int64_t seen = (shape.causal ? i + 1 : end) - begin;
      for (std::int64_t h = 0; h < H; ++h) {
        const std::int64_t kv = (begin * G + h / (H / G)) * D;
        lse[i * H + h] = float(attend(q + (i * H + h) * D, k + kv, v + kv, seen, G * D, D, shape.scale, scores,
                                      o + (i * H + h) * D));
      }
    }
  }
  return {};
}

Status ReferenceBackend::attention_backward(const float* do_, const float* q, const float* k, const float* v,
                                            const float* o, const float* lse, const std::int32_t* cu_seqlens,
                                            std::int64_t S, const AttentionShape& shape, float* dq, float* dk, float* dv) {
  const std::int64_t H = shape.heads, G = shape.kv_heads, D = shape.head_dim;
  for (std::int64_t s = 0; s < S; ++s) {
    const std::int64_t begin = cu_seqlens[s], end = cu_seqlens[s + 1], length = end - begin;
    std::vector<double> sum_dk(static_cast<std::size_t>(length * G * D)), sum_dv(sum_dk.size()), sum_dq(std::size_t(D), 0.0);
    for (std::int64_t h = 0; h < H; ++h) {
      const std::int64_t g = h / (H / G);
      for (std::int64_t i = begin; i < end; ++i) {
        if (cancelled()) return cancelled_status();
        const std::int64_t row = (i * H + h) * D;
        const double delta = dot(do_ + row, o + row, D);  // = Σ_j p_ij dp_ij
        std::fill(sum_dq.begin(), sum_dq.end(), 0.0);
        for (std::int64_t j = begin; j < (shape.causal ? i + 1 : end); ++j) {
          const std::int64_t kv = (j * G + g) * D;
          const double p = std::exp(double(shape.scale) * dot(q + row, k + kv, D) - double(lse[i * H + h]));
          const double ds = p * (dot(do_ + row, v + kv, D) - delta) * double(shape.scale);
          double* dk_row = sum_dk.data() + ((j - begin) * G + g) * D;
          double* dv_row = sum_dv.data() + ((j - begin) * G + g) * D;
          for (std::int64_t d = 0; d < D; ++d) {
            sum_dq[static_cast<std::size_t>(d)] += ds * double(k[kv + d]);
            dk_row[d] += ds * double(q[row + d]);
            dv_row[d] += p * double(do_[row + d]);
          }
        }
        for (std::int64_t d = 0; d < D; ++d) dq[row + d] = float(sum_dq[static_cast<std::size_t>(d)]);
      }
    }
    for (std::int64_t i = 0; i < length * G * D; ++i) {
      dk[begin * G * D + i] = float(sum_dk[static_cast<std::size_t>(i)]);
      dv[begin * G * D + i] = float(sum_dv[static_cast<std::size_t>(i)]);
    }
  }
  return {};
}

Status ReferenceBackend::kv_write(const float* k, const float* v, const std::int32_t* slots,
                                  const std::int32_t* positions, std::int64_t M, std::int64_t kv_heads,
                                  std::int64_t head_dim, const KvView& cache) {
  const std::int64_t width = kv_heads * head_dim;
  for (std::int64_t m = 0; m < M; ++m) {
    const std::int64_t at = (slots[m] * cache.capacity + positions[m]) * width;
    std::memcpy(cache.k + at, k + m * width, static_cast<std::size_t>(width) * sizeof(float));
    std::memcpy(cache.v + at, v + m * width, static_cast<std::size_t>(width) * sizeof(float));
  }
  return {};
}

Status ReferenceBackend::attention_cached(const float* q, const std::int32_t* slots, const std::int32_t* positions,
                                          std::int64_t M, const AttentionShape& shape, const KvView& cache, float* o) {
  const std::int64_t H = shape.heads, G = shape.kv_heads, D = shape.head_dim;
  std::vector<double> scores;
  for (std::int64_t m = 0; m < M; ++m) {
    if (cancelled()) return cancelled_status();
    for (std::int64_t h = 0; h < H; ++h) {
      const std::int64_t kv = (slots[m] * cache.capacity * G + h / (H / G)) * D;
      attend(q + (m * H + h) * D, cache.k + kv, cache.v + kv, positions[m] + 1, G * D, D, shape.scale, scores,
             o + (m * H + h) * D);
    }
  }
  return {};
}

}  // namespace namesake
