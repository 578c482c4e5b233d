// Linear with LoRA fused. Each row of W is decoded once for all rows of x.
#include "backend/reference/reference_backend.h"

namespace namesake {

namespace {
bool lora_on(const LoraView& lora, std::int64_t m) { return !lora.row_on || lora.row_on[m] != 0; }
}  // namespace

Status ReferenceBackend::linear_forward(const Matrix& w, const float* bias, const LoraView* lora, const float* x,
                                        std::int64_t M, const float* residual, float* y, float* xa, Phase) {
  const std::int64_t N = w.rows, K = w.cols;
  if (lora) {
    for (std::int64_t m = 0; m < M; ++m) {
      for (std::int64_t r = 0; r < lora->rank; ++r) {
        xa[m * lora->rank + r] = float(dot(x + m * K, lora->a + r * K, K));
      }
    }
  }
  if (!y) return {};
  std::vector<float> row(static_cast<std::size_t>(K));
  for (std::int64_t n = 0; n < N && M > 0; ++n) {
    if (cancelled()) return cancelled_status();
    decode_row(w, n, row.data());
    for (std::int64_t m = 0; m < M; ++m) {
      double sum = dot(x + m * K, row.data(), K);
      if (bias) sum += double(bias[n]);
      if (lora && lora_on(*lora, m)) {
        sum += double(lora->scale) * dot(xa + m * lora->rank, lora->b + n * lora->rank, lora->rank);
      }
      if (residual) sum += double(residual[m * N + n]);
      y[m * N + n] = float(sum);
    }
  }
  return {};
}

Status ReferenceBackend::linear_backward(const Matrix& w, const LoraView* lora, const float* x, const float* xa,
                                         const float* dy, std::int64_t M, bool accumulate, float* dx, float* da,
                                         float* db) {
  const std::int64_t N = w.rows, K = w.cols, R = lora ? lora->rank : 0;
  if (M == 0) return {};

  // dyb [M, R] = scale * dy B where the adapter is on, else 0.
  std::vector<double> dyb(static_cast<std::size_t>(M * R));
  for (std::int64_t m = 0; m < M && lora; ++m) {
    if (!lora_on(*lora, m)) continue;
    for (std::int64_t r = 0; r < R; ++r) {
      double sum = 0;
      for (std::int64_t n = 0; n < N; ++n) sum += double(dy[m * N + n]) * double(lora->b[n * R + r]);
      dyb[static_cast<std::size_t>(m * R + r)] = double(lora->scale) * sum;
    }
  }

  if (dx) {
    std::vector<double> sums(static_cast<std::size_t>(M * K));
    std::vector<float> row(static_cast<std::size_t>(K));
    for (std::int64_t n = 0; n < N; ++n) {
      if (cancelled()) return cancelled_status();
      decode_row(w, n, row.data());
      for (std::int64_t m = 0; m < M; ++m) {
        const double g = dy[m * N + n];
        double* sum = sums.data() + m * K;
        for (std::int64_t k = 0; k < K; ++k) sum[k] += g * double(row[static_cast<std::size_t>(k)]);
      }
    }
    for (std::int64_t m = 0; m < M; ++m) {
      double* sum = sums.data() + m * K;
      for (std::int64_t r = 0; r < R; ++r) {
        const double g = dyb[static_cast<std::size_t>(m * R + r)];
        for (std::int64_t k = 0; k < K; ++k) sum[k] += g * double(lora->a[r * K + k]);
      }
      for (std::int64_t k = 0; k < K; ++k) {
        dx[m * K + k] = float(accumulate ? double(dx[m * K + k]) + sum[k] : sum[k]);
      }
    }
  }

  for (std::int64_t r = 0; r < R; ++r) {
    for (std::int64_t k = 0; k < K; ++k) {
      double sum = 0;
      for (std::int64_t m = 0; m < M; ++m) sum += dyb[static_cast<std::size_t>(m * R + r)] * double(x[m * K + k]);
      da[r * K + k] = float(double(da[r * K + k]) + sum);
    }
  }
  for (std::int64_t n = 0; n < N; ++n) {
    for (std::int64_t r = 0; r < R; ++r) {
      double sum = 0;
      for (std::int64_t m = 0; m < M; ++m) {
        if (lora_on(*lora, m)) sum += double(dy[m * N + n]) * double(xa[m * R + r]);
      }
      db[n * R + r] = float(double(db[n * R + r]) + double(lora->scale) * sum);
    }
  }
  return {};
}

}  // namespace namesake
