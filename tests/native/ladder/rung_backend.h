// Rung backend: the cuda backend with a rung of the ladder (native/ladder) in the place of the product's kernels.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "backend/cuda/cuda_backend.h"

namespace namesake::test {

/// From the bottom; above them is the product's own. Attention has no `tensor` below the product.
enum class Rung { naive, tiled, tensor };

inline const char* text(Rung rung) { return rung == Rung::naive ? "naive" : rung == Rung::tiled ? "tiled" : "tensor"; }

/// Of three ops; all others are the product's. `internal` for what rungs do not have: blocks other than nf4, bias, adapter and residual of a
/// linear layer, heads of more than 64.
class RungBackend final : public cuda::CudaBackend {
 public:
  /// The backend of a rung on the card under test, made once; nullptr where there is none of family sm_80.
  static RungBackend* of(Rung rung);

  Status linear_forward(const Matrix& w, const float* bias, const LoraView* lora, const float* x, std::int64_t M, const float* residual,
                        float* y, float* xa, Phase phase) override;
  Status attention_forward(const float* q, const float* k, const float* v, const std::int32_t* cu_seqlens, std::int64_t S,
                           const AttentionShape& shape, float* o, float* lse) override;
  Status attention_backward(const float* do_, const float* q, const float* k, const float* v, const float* o, const float* lse,
                            const std::int32_t* cu_seqlens, std::int64_t S, const AttentionShape& shape, float* dq, float* dk,
                            float* dv) override;

 private:
  RungBackend(std::unique_ptr<cuda::Context> context, const GpuCard& card, Rung rung)
      : CudaBackend(std::move(context), card), rung_(rung) {}

  /// run(sizes, number of tiles), with the tiles of a batch on the card.
  template <class Run>
  Status over_tiles(const std::int32_t* cu_seqlens, std::int64_t S, const AttentionShape& shape, const Run& run);

  Rung rung_;
};

}  // namespace namesake::test
