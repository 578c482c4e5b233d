// The reference backend: plain loops and f64 sums, one thread. It is the specification that other backends are compared with.
#pragma once

#include <vector>

#include "backend/ops.h"

namespace namesake {

/// Rows of the head whose logits exist at a time.
inline constexpr std::size_t kHeadRows = 16;

/// Every op of ops.h, one family a file. Sums run in f64 in index order and are rounded to f32 once, at the output, so both
/// phases are the same here.
class ReferenceBackend final : public Backend {
 public:
  std::string name() const override { return "reference"; }
  std::string isa() const override { return "scalar"; }
  int threads() const override { return 1; }
  void set_cancel(const std::atomic<bool>* flag) override { cancel_ = flag; }

  std::uint64_t available() const override;
  Result<void*> allocate(std::size_t bytes) override;
  void release(void* pointer) override;
  void discard(void* pointer, std::size_t bytes) override;
  /// The largest of the vectors that ops make on the heap: room of that size stays untouched where it is lent.
  std::size_t scratch_bytes(const Workload& work) const override;
  void lend_scratch(void*, std::size_t) override {}
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
  Status rope_backward(float* dx, const std::int32_t* positions, const RopeTable& table, std::int64_t M,
                       std::int64_t heads, std::int64_t D) override;
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
  Status kv_write(const float* k, const float* v, const std::int32_t* slots, const std::int32_t* positions,
                  std::int64_t M, std::int64_t kv_heads, std::int64_t head_dim, const KvView& cache) override;
  Status attention_cached(const float* q, const std::int32_t* slots, const std::int32_t* positions, std::int64_t M,
                          const AttentionShape& shape, const KvView& cache, float* o) override;
  Status head_loss(const HeadLoss& args) override;
  Status sum_of_squares(const float* x, std::int64_t n, double* sum) override;
  Status adamw(const AdamW& options, std::int64_t n, const float* grad, float* value, float* m, float* v) override;
  Status adamw_8bit(const AdamW& options, std::int64_t n, const float* grad, float* value, std::uint8_t* m_codes, float* m_absmax,
                    std::uint8_t* v_codes, float* v_absmax) override;

 private:
  bool cancelled() const { return cancel_ && cancel_->load(std::memory_order_relaxed); }
  static Status cancelled_status() { return Status::error(Code::cancelled, "cancelled"); }

  const std::atomic<bool>* cancel_ = nullptr;
};

/// Σ a[i] b[i] in f64.
double dot(const float* a, const float* b, std::int64_t n);

}  // namespace namesake
