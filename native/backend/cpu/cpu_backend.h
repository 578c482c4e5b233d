// CpuBackend: the ops of backend/ops.h over a KernelTable and a ThreadPool. One file per group of ops beside this one.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include "backend/cpu/isa/kernels.h"
#include "backend/cpu/memory.h"
#include "backend/cpu/scratch.h"
#include "backend/cpu/thread_pool.h"
#include "backend/ops.h"

namespace namesake::cpu {

/// A frozen matrix as the kernels read it.
WeightView view_of(const Matrix& matrix);
/// Activations [rows, cols] with `stride` floats from row to row.
WeightView view_of(const float* values, std::int64_t rows, std::int64_t cols, std::int64_t stride);

/// How M rows are cut into tiles of nearly equal height.
struct RowTiles {
  std::int64_t count, height, rows;

  RowTiles(std::int64_t M, std::int64_t tallest)
      : count(ceil_div(M, tallest)), height(M > 0 ? ceil_div(M, count) : 0), rows(M) {
    count = height > 0 ? ceil_div(M, height) : 0;
  }
  std::int64_t start(std::int64_t tile) const { return tile * height; }
  std::int64_t size(std::int64_t tile) const { return std::min(height, rows - start(tile)); }
};

class CpuBackend final : public Backend {
 public:
  CpuBackend(const KernelTable& kernels, int threads);

  std::string name() const override { return "cpu"; }
  std::string isa() const override { return kernels_.isa; }
  int threads() const override { return pool_.threads(); }
  void set_cancel(const std::atomic<bool>* flag) override { cancel_ = flag; }

  std::uint64_t available() const override;
  Result<void*> allocate(std::size_t bytes) override;
  void release(void* pointer) override;
  void discard(void* pointer, std::size_t bytes) override;
  std::size_t scratch_bytes(const Workload& work) const override;
  void lend_scratch(void* memory, std::size_t bytes) override { scratch_.lend(memory, bytes); }
  Status upload(void* to, const void* from_host, std::size_t bytes) override;
  Status download(void* to_host, const void* from, std::size_t bytes) override;
  Status copy(void* to, const void* from, std::size_t bytes) override;
  Status zero(void* to, std::size_t bytes) override;

  Status embedding_forward(const Matrix& table, const std::int32_t* ids, std::int64_t M, float* y) override;
  Status rmsnorm_forward(const float* x, const float* weight, float eps, std::int64_t M, std::int64_t C, float* y,
                         float* rstd) override;
  Status rmsnorm_backward(const float* dy, const float* x, const float* weight, const float* rstd, std::int64_t M,
                          std::int64_t C, float* dx) override;
  Status rope_forward(float* x, const std::int32_t* positions, const RopeTable& table, std::int64_t M, std::int64_t heads,
                      std::int64_t D) override;
  Status rope_backward(float* dx, const std::int32_t* positions, const RopeTable& table, std::int64_t M, std::int64_t heads,
                       std::int64_t D) override;
  Status split_qkv(const float* qkv, std::int64_t M, std::int64_t heads, std::int64_t kv_heads, std::int64_t D, float* q,
                   float* k, float* v) override;
  Status join_qkv(const float* q, const float* k, const float* v, std::int64_t M, std::int64_t heads, std::int64_t kv_heads,
                  std::int64_t D, float* qkv) override;
  Status linear_forward(const Matrix& w, const float* bias, const LoraView* lora, const float* x, std::int64_t M,
                        const float* residual, float* y, float* xa, Phase phase) override;
  Status linear_backward(const Matrix& w, const LoraView* lora, const float* x, const float* xa, const float* dy,
                         std::int64_t M, bool accumulate, float* dx, float* da, float* db) override;
  Status swiglu_forward(const float* gate, const float* up, std::int64_t n, float* y) override;
  Status add(const float* x, std::int64_t n, float* y) override;
  Status to_bf16(const float* x, std::int64_t n, std::uint16_t* y) override;
  Status from_bf16(const std::uint16_t* x, std::int64_t n, float* y) override;
  Status swiglu_backward(const float* dy, const float* gate, const float* up, std::int64_t n, float* dgate,
                         float* dup) override;
  Status attention_forward(const float* q, const float* k, const float* v, const std::int32_t* cu_seqlens, std::int64_t S,
                           const AttentionShape& shape, float* o, float* lse) override;
  Status attention_backward(const float* do_, const float* q, const float* k, const float* v, const float* o,
                            const float* lse, const std::int32_t* cu_seqlens, std::int64_t S, const AttentionShape& shape,
                            float* dq, float* dk, float* dv) override;
  Status kv_write(const float* k, const float* v, const std::int32_t* slots, const std::int32_t* positions, std::int64_t M,
                  std::int64_t kv_heads, std::int64_t head_dim, const KvView& cache) override;
  Status attention_cached(const float* q, const std::int32_t* slots, const std::int32_t* positions, std::int64_t M,
                          const AttentionShape& shape, const KvView& cache, float* o) override;
  Status head_loss(const HeadLoss& args) override;
  Status sum_of_squares(const float* x, std::int64_t n, double* sum) override;
  Status adamw(const AdamW& options, std::int64_t n, const float* grad, float* value, float* m, float* v) override;
  Status adamw_8bit(const AdamW& options, std::int64_t n, const float* grad, float* value, std::uint8_t* m_codes, float* m_absmax,
                    std::uint8_t* v_codes, float* v_absmax) override;

 private:
  struct HeadChunk;

  /// body(task, thread) for every task on all threads; Code::cancelled if the flag was seen.
  template <class Body>
  Status for_each(std::int64_t count, const Body& body) {
    if (pool_.for_each(count, cancel_, body)) return {};
    return Status::error(Code::cancelled, "cancelled between tiles");
  }
  /// body(first, last) over pieces of 0..n, `grain` items each.
  template <class Body>
  Status for_pieces(std::int64_t n, std::int64_t grain, const Body& body) {
    return for_each(ceil_div(n, grain),
                    [&](std::int64_t task, int) { body(task * grain, std::min(n, (task + 1) * grain)); });
  }

  /// Room for one op: shared_scratch, and thread_scratch for each thread.
  Status reserve(const ScratchNeed& need);
  float* shared_scratch() { return scratch_.data(); }
  float* thread_scratch(int thread) { return scratch_.data() + need_.shared_floats() + thread * need_.thread_floats(); }

  /// How a matrix is multiplied: one that is kept as f32 in f32, others in bf16 where the instruction set has products of it.
  const Products& products_of(const Matrix& w) const {
    return kernels_.narrow && w.type != BlockType::f32 ? *kernels_.narrow : kernels_.f32;
  }

  /// Pieces that M tiles are split into, so that `panels` panels of columns keep every thread busy.
  std::int64_t row_chunks(std::int64_t panels, std::int64_t tiles) const;

  Status linear_decode(const Matrix& w, const float* bias, const LoraView* lora, const float* x, std::int64_t M,
                       const float* residual, float* y, float* xa);
  Status rope(float* x, const std::int32_t* positions, const RopeTable& table, std::int64_t M, std::int64_t heads,
              std::int64_t D, float sign);
  Status head_chunk(const HeadLoss& args, HeadChunk& chunk);
  Status head_logits(const HeadLoss& args, HeadChunk& chunk);
  Status head_gradient(const HeadLoss& args, HeadChunk& chunk);

  const KernelTable kernels_;
  ThreadPool pool_;
  const std::atomic<bool>* cancel_ = nullptr;
  Scratch scratch_;
  ScratchNeed need_;  // of the op at work
};

}  // namespace namesake::cpu
