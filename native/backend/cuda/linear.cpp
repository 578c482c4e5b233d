// Linear layers with LoRA. Prefill and backward: operands are rounded to 16 bits in scratch, W a panel of rows at a time, and multiplied on
// tensor cores; the low-rank term is a second pair of operands of the same product. Decode: dot products straight from the blocks.
#include <algorithm>

#include "backend/cuda/convert.h"
#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/decode.h"
#include "backend/cuda/gemm.h"
#include "backend/cuda/gemv.h"

namespace namesake::cuda {
namespace {

/// Rows of W [N, K] in a panel: whole tiles, by the shape of W alone, because dx sums panel after panel.
std::int64_t panel_rows(std::int64_t N, std::int64_t K, std::int64_t bytes = kPanelBytes) {
  constexpr std::int64_t tile = 128;
  return std::min(N, std::max<std::int64_t>(1, bytes / (2 * std::max<std::int64_t>(1, half_stride(K)) * tile)) * tile);
}

std::int64_t half_bytes(std::int64_t rows, std::int64_t cols) { return 2 * rows * half_stride(cols); }

struct ForwardScratch {
  ScratchPlan plan;
  std::size_t x, x_factor, w, a, b, xa, xa_factor, pieces;

  ForwardScratch(std::int64_t M, std::int64_t N, std::int64_t K, std::int64_t R)
      : x(plan.take(half_bytes(M, K))), x_factor(plan.take(4 * M)), w(plan.take(half_bytes(panel_rows(N, K), K))),
        a(plan.take(half_bytes(R, K))), b(plan.take(half_bytes(N, R))), xa(plan.take(half_bytes(M, R))), xa_factor(plan.take(4 * M)),
        pieces(plan.take(4 * split_gemm_floats(M, R, K))) {}
};

struct BackwardScratch {
  ScratchPlan plan;
  std::size_t dy, dy_factor, w, x, x_factor, a, b, dyb, dyb_half, dyb_factor, small, factor, pieces;

  BackwardScratch(std::int64_t M, std::int64_t N, std::int64_t K, std::int64_t R)
      : dy(plan.take(half_bytes(M, N))), dy_factor(plan.take(4 * M)), w(plan.take(half_bytes(panel_rows(N, K), K))),
        x(plan.take(R > 0 ? half_bytes(M, K) : 0)), x_factor(plan.take(4 * M)), a(plan.take(half_bytes(R, K))),
        b(plan.take(half_bytes(N, R))), dyb(plan.take(4 * M * R)), dyb_half(plan.take(half_bytes(M, R))), dyb_factor(plan.take(4 * M)),
        small(plan.take(half_bytes(M, R))), factor(plan.take(8)),
        pieces(plan.take(4 * std::max({split_gemm_floats(M, R, N), split_gemm_floats(R, K, M), split_gemm_floats(N, R, M)}))) {}
};

/// A LoRA factor, rounded as it is.
Status round_factor(CudaBackend& backend, const float* values, std::int64_t rows, std::int64_t cols, Half* out) {
  return round_rows(backend, {.x = values, .rows = rows, .cols = cols, .out = out, .ld = half_stride(cols)});
}

}  // namespace

std::size_t linear_scratch(const Workload& w) {
  const std::int64_t Q = w.heads * w.head_dim, KV = w.kv_heads * w.head_dim;
  const std::int64_t matrices[][3] = {{w.rows, Q, w.hidden}, {w.rows, KV, w.hidden}, {w.rows, w.hidden, Q}, {w.ffn_rows, w.ffn, w.hidden},
                                      {w.ffn_rows, w.hidden, w.ffn}, {w.rows, w.fused_qkv ? Q + 2 * KV : 0, w.hidden}};
  std::size_t most = ForwardScratch(w.logit_rows, w.vocab, w.hidden, 0).plan.bytes();
  for (const auto& [M, N, K] : matrices) {
    most = std::max(most, ForwardScratch(M, N, K, w.rank).plan.bytes());
    if (w.backward) most = std::max(most, BackwardScratch(M, N, K, w.rank).plan.bytes());
  }
  return most;
}

Status CudaBackend::linear_forward(const Matrix& w, const float* bias, const LoraView* lora, const float* x, std::int64_t M,
                                   const float* residual, float* y, float* xa, Phase phase) {
  if (M <= 0) return {};
  const std::int64_t N = w.rows, K = w.cols, R = lora ? lora->rank : 0;
  const float* row_on = lora ? lora->row_on : nullptr;
  const float scale = lora ? lora->scale : 0;
  if (phase == Phase::decode) {
    if (R > 0) {
      const Matrix a{BlockType::f32, R, K, reinterpret_cast<const std::byte*>(lora->a), nullptr};
      NAMESAKE_TRY(gemv(*this, a.type, GemvArgs{view_of(a), M, x, nullptr, nullptr, nullptr, 0, 0, nullptr, nullptr, xa}));
    }
    return gemv(*this, w.type, GemvArgs{view_of(w), M, x, bias, xa, lora ? lora->b : nullptr, R, scale, row_on, residual, y});
  }

  const ForwardScratch at(M, N, K, R);
  const auto memory = scratch(at.plan.bytes());
  if (!memory.ok()) return memory.status();
  const auto half = [&](std::size_t place) { return reinterpret_cast<Half*>(memory.value() + place); };
  const auto floats = [&](std::size_t place) { return reinterpret_cast<float*>(memory.value() + place); };
  const std::int64_t ldk = half_stride(K), ldr = half_stride(R);

  NAMESAKE_TRY(round_rows(*this, {.x = x, .rows = M, .cols = K, .out = half(at.x), .ld = ldk, .factor = floats(at.x_factor)}));
  if (R > 0) {
    NAMESAKE_TRY(round_factor(*this, lora->a, R, K, half(at.a)));
    Gemm product{.form = Form::rows_rows, .M = M, .N = R, .c = xa, .ldc = R};
    product.first = {half(at.x), ldk, half(at.a), ldk, K, floats(at.x_factor)};
    NAMESAKE_TRY(split_gemm(*this, product, nullptr, floats(at.pieces)));
    if (!y) return {};
    NAMESAKE_TRY(round_factor(*this, lora->b, N, R, half(at.b)));
    NAMESAKE_TRY(round_rows(*this, {.x = xa, .rows = M, .cols = R, .row_on = row_on, .scale = scale, .out = half(at.xa), .ld = ldr,
                                    .factor = floats(at.xa_factor)}));
  }
  const std::int64_t panel = panel_rows(N, K, panel_bytes_);
  for (std::int64_t n = 0; n < N; n += panel) {
    const std::int64_t rows = std::min(panel, N - n);
    NAMESAKE_TRY(decode_rows(*this, w, n, rows, half(at.w), ldk));
    Gemm product{.form = Form::rows_rows, .M = M, .N = rows, .bias = bias ? bias + n : nullptr, .residual = residual ? residual + n : nullptr,
                 .c = y + n, .ldc = N};
    product.first = {half(at.x), ldk, half(at.w), ldk, K, floats(at.x_factor)};
    if (R > 0) product.second = {half(at.xa), ldr, half(at.b) + n * ldr, ldr, R, floats(at.xa_factor)};
    NAMESAKE_TRY(gemm(*this, product));
  }
  return {};
}

Status CudaBackend::linear_backward(const Matrix& w, const LoraView* lora, const float* x, const float* xa, const float* dy, std::int64_t M,
                                    bool accumulate, float* dx, float* da, float* db) {
  const std::int64_t N = w.rows, K = w.cols, R = lora ? lora->rank : 0;
  if (M <= 0 || (R == 0 && !dx)) return {};
  const BackwardScratch at(M, N, K, R);
  const auto memory = scratch(at.plan.bytes());
  if (!memory.ok()) return memory.status();
  const auto half = [&](std::size_t place) { return reinterpret_cast<Half*>(memory.value() + place); };
  const auto floats = [&](std::size_t place) { return reinterpret_cast<float*>(memory.value() + place); };
  const std::int64_t ldk = half_stride(K), ldn = half_stride(N), ldr = half_stride(R);

  NAMESAKE_TRY(round_rows(*this, {.x = dy, .rows = M, .cols = N, .out = half(at.dy), .ld = ldn, .factor = floats(at.dy_factor)}));
  if (R > 0) {
    NAMESAKE_TRY(round_factor(*this, lora->a, R, K, half(at.a)));
    NAMESAKE_TRY(round_factor(*this, lora->b, N, R, half(at.b)));
    Gemm product{.form = Form::rows_columns, .M = M, .N = R, .c = floats(at.dyb), .ldc = R};
    product.first = {half(at.dy), ldn, half(at.b), ldr, N, floats(at.dy_factor)};
    NAMESAKE_TRY(split_gemm(*this, product, nullptr, floats(at.pieces)));
  }

  if (dx) {
    if (R > 0) {
      NAMESAKE_TRY(round_rows(*this, {.x = floats(at.dyb), .rows = M, .cols = R, .row_on = lora->row_on, .scale = lora->scale,
                                      .out = half(at.dyb_half), .ld = ldr, .factor = floats(at.dyb_factor)}));
    }
    const std::int64_t panel = panel_rows(N, K, panel_bytes_);
    for (std::int64_t n = 0; n < N; n += panel) {
      const std::int64_t rows = std::min(panel, N - n);
      NAMESAKE_TRY(decode_rows(*this, w, n, rows, half(at.w), ldk));
      Gemm product{.form = Form::rows_columns, .M = M, .N = K, .residual = accumulate || n > 0 ? dx : nullptr, .c = dx, .ldc = K};
      product.first = {half(at.dy) + n, ldn, half(at.w), ldk, rows, floats(at.dy_factor)};
      if (R > 0 && n + rows == N) product.second = {half(at.dyb_half), ldr, half(at.a), ldk, R, floats(at.dyb_factor)};
      NAMESAKE_TRY(gemm(*this, product));
    }
  }
  if (R == 0) return {};

  NAMESAKE_TRY(round_rows(*this, {.x = x, .rows = M, .cols = K, .out = half(at.x), .ld = ldk, .factor = floats(at.x_factor)}));
  RoundTogether small{.rows = M, .cols = R, .row_on = lora->row_on, .scale = lora->scale, .out = half(at.small), .ld = ldr,
                      .factor = floats(at.factor)};
  small.x = floats(at.dyb);
  small.row_factor = floats(at.x_factor);
  NAMESAKE_TRY(round_together(*this, small));
  Gemm product{.form = Form::columns_columns, .M = R, .N = K, .residual = da, .c = da, .ldc = K};
  product.first = {half(at.small), ldr, half(at.x), ldk, M, nullptr};
  NAMESAKE_TRY(split_gemm(*this, product, floats(at.factor), floats(at.pieces)));

  small.x = xa;
  small.row_factor = floats(at.dy_factor);
  NAMESAKE_TRY(round_together(*this, small));
  product = {.form = Form::columns_columns, .M = N, .N = R, .residual = db, .c = db, .ldc = R};
  product.first = {half(at.dy), ldn, half(at.small), ldr, M, nullptr};
  return split_gemm(*this, product, floats(at.factor), floats(at.pieces));
}

}  // namespace namesake::cuda
