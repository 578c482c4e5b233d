// Embedding, RMSNorm, rope, fused q/k/v, SwiGLU and rounding: one pass over memory each.
#include <cstring>

#include "backend/cpu/cpu_backend.h"

namespace namesake::cpu {
namespace {

constexpr std::int64_t kPiece = 16384;  // values of one task: a few microseconds

/// Rows of `cols` values that make one task.
std::int64_t rows_per_task(std::int64_t cols) { return std::max<std::int64_t>(1, kPiece / std::max<std::int64_t>(1, cols)); }

}  // namespace

Status CpuBackend::embedding_forward(const Matrix& table, const std::int32_t* ids, std::int64_t M, float* y) {
  return for_pieces(M, rows_per_task(table.cols), [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t m = first; m < last; ++m) kernels_.decode_row(view_of(table), ids[m], y + m * table.cols);
  });
}

Status CpuBackend::rmsnorm_forward(const float* x, const float* weight, float eps, std::int64_t M, std::int64_t C, float* y,
                                   float* rstd) {
  return for_pieces(M, rows_per_task(C), [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t m = first; m < last; ++m) {
      const float r = kernels_.rmsnorm_row(x + m * C, weight, eps, C, y + m * C);
      if (rstd) rstd[m] = r;
    }
  });
}

Status CpuBackend::rmsnorm_backward(const float* dy, const float* x, const float* weight, const float* rstd, std::int64_t M,
                                    std::int64_t C, float* dx) {
  return for_pieces(M, rows_per_task(C), [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t m = first; m < last; ++m) {
      kernels_.rmsnorm_row_backward(dy + m * C, x + m * C, weight, rstd[m], C, dx + m * C);
    }
  });
}

Status CpuBackend::rope(float* x, const std::int32_t* positions, const RopeTable& table, std::int64_t M, std::int64_t heads,
                        std::int64_t D, float sign) {
  const std::int64_t half = D / 2;
  return for_pieces(M, rows_per_task(heads * D), [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t m = first; m < last; ++m) {
      const std::int64_t at = positions[m] * half;
      for (std::int64_t h = 0; h < heads; ++h) {
        kernels_.rope_row(x + (m * heads + h) * D, table.cos + at, table.sin + at, half, table.adjacent, sign);
      }
    }
  });
}

Status CpuBackend::rope_forward(float* x, const std::int32_t* positions, const RopeTable& table, std::int64_t M,
                                std::int64_t heads, std::int64_t D) {
  return rope(x, positions, table, M, heads, D, 1);
}

Status CpuBackend::rope_backward(float* dx, const std::int32_t* positions, const RopeTable& table, std::int64_t M,
                                 std::int64_t heads, std::int64_t D) {
  return rope(dx, positions, table, M, heads, D, -1);
}

Status CpuBackend::split_qkv(const float* qkv, std::int64_t M, std::int64_t heads, std::int64_t kv_heads, std::int64_t D,
                             float* q, float* k, float* v) {
  // Groups follow each other in q, k and v as they do in qkv, row after row.
  const std::int64_t queries = heads / kv_heads * D, group = queries + 2 * D;
  return for_pieces(M * kv_heads, rows_per_task(group), [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t g = first; g < last; ++g) {
      const float* from = qkv + g * group;
      std::memcpy(q + g * queries, from, static_cast<std::size_t>(queries) * sizeof(float));
      std::memcpy(k + g * D, from + queries, static_cast<std::size_t>(D) * sizeof(float));
      std::memcpy(v + g * D, from + queries + D, static_cast<std::size_t>(D) * sizeof(float));
    }
  });
}

Status CpuBackend::join_qkv(const float* q, const float* k, const float* v, std::int64_t M, std::int64_t heads,
                            std::int64_t kv_heads, std::int64_t D, float* qkv) {
  const std::int64_t queries = heads / kv_heads * D, group = queries + 2 * D;
  return for_pieces(M * kv_heads, rows_per_task(group), [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t g = first; g < last; ++g) {
      float* to = qkv + g * group;
      std::memcpy(to, q + g * queries, static_cast<std::size_t>(queries) * sizeof(float));
      std::memcpy(to + queries, k + g * D, static_cast<std::size_t>(D) * sizeof(float));
      std::memcpy(to + queries + D, v + g * D, static_cast<std::size_t>(D) * sizeof(float));
    }
  });
}

Status CpuBackend::add(const float* x, std::int64_t n, float* y) {
  return for_pieces(n, kPiece, [&](std::int64_t first, std::int64_t last) {
    kernels_.add_row(x + first, last - first, y + first);
  });
}

Status CpuBackend::to_bf16(const float* x, std::int64_t n, std::uint16_t* y) {
  return for_pieces(n, kPiece, [&](std::int64_t first, std::int64_t last) { kernels_.to_bf16(x + first, last - first, y + first); });
}

Status CpuBackend::from_bf16(const std::uint16_t* x, std::int64_t n, float* y) {
  return for_pieces(n, kPiece, [&](std::int64_t first, std::int64_t last) { kernels_.from_bf16(x + first, last - first, y + first); });
}

Status CpuBackend::swiglu_forward(const float* gate, const float* up, std::int64_t n, float* y) {
  return for_pieces(n, kPiece, [&](std::int64_t first, std::int64_t last) {
    kernels_.swiglu(gate + first, up + first, last - first, y + first);
  });
}

Status CpuBackend::swiglu_backward(const float* dy, const float* gate, const float* up, std::int64_t n, float* dgate,
                                   float* dup) {
  return for_pieces(n, kPiece, [&](std::int64_t first, std::int64_t last) {
    kernels_.swiglu_backward(dy + first, gate + first, up + first, last - first, dgate + first, dup + first);
  });
}

}  // namespace namesake::cpu
