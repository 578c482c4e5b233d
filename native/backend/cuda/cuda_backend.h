// CudaBackend: the ops of backend/ops.h on an NVIDIA card. One file per group of ops beside this one; kernels/ has what runs there.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "backend/cuda/context.h"
#include "backend/cuda/kernel_library.h"
#include "backend/cuda/launch.h"
#include "backend/cuda/pace.h"
#include "backend/cuda/scratch.h"
#include "backend/cuda/staging.h"
#include "backend/ops.h"

namespace namesake::cuda {

/// The backend on the card that choose_card takes: the codes of Driver::open, list_cards and choose_card.
Result<std::unique_ptr<Backend>> make_cuda_backend(std::shared_ptr<const Driver> driver, std::optional<int> ordinal = std::nullopt);

/// What set_launch_flop begins with.
inline constexpr double kLaunchFlop = 0x1p38;

/// Ops give work to the stream and return: what fails in it is said by a later call, at the latest by the next download.
/// Pointers are addresses on the card. Any thread, one at a time. The ladder's rungs take the place of single ops in classes of their own.
class CudaBackend : public Backend {
 public:
  /// `context` is a place on `card`.
  CudaBackend(std::unique_ptr<Context> context, const GpuCard& card);
  ~CudaBackend() override;

  std::string name() const override { return "cuda"; }
  /// "sm_86": the card's architecture.
  std::string isa() const override { return "sm_" + std::to_string(card_.major * 10 + card_.minor); }
  /// Of the host, for what is prepared there.
  int threads() const override;
  std::optional<UsedCard> card() const override { return card_; }
  bool reads_host_memory() const override { return false; }
  void set_cancel(const std::atomic<bool>* flag) override { cancel_ = flag; }
  /// The most products and sums that one launch of a matrix product or of attention is given. The value it begins with ends within
  /// 0.3 s on the slowest card that is taken (launch.h): Windows ends what takes two seconds, and a job is cancelled between launches.
  /// Results do not depend on it.
  void set_launch_flop(double flop) { launch_flop_ = flop; }
  double launch_flop() const { return launch_flop_; }

  /// `seen` is told of every launch before it is queued: its kernel, and the work that it is counted as. Empty = nobody is.
  void watch_launches(std::function<void(const KernelName&, const Work&)> seen) { seen_ = std::move(seen); }

  std::uint64_t available() const override;
  Result<void*> allocate(std::size_t bytes) override;
  void release(void* pointer) override;
  void discard(void*, std::size_t) override {}  // a card's memory is taken and given back whole
  std::size_t scratch_bytes(const Workload& work) const override;
  void lend_scratch(void* memory, std::size_t bytes) override;
  Status upload(void* to, const void* from_host, std::size_t bytes) override;
  Status download(void* to_host, const void* from, std::size_t bytes) override;
  Status copy(void* to, const void* from, std::size_t bytes) override;
  Status zero(void* to, std::size_t bytes) override;
  Status finish() override;

  Status add(const float* x, std::int64_t n, float* y) override;
  Status to_bf16(const float* x, std::int64_t n, std::uint16_t* y) override;
  Status from_bf16(const std::uint16_t* x, std::int64_t n, float* y) override;
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

  /// 16-bit weights that linear layers decode at a time, at most as many as scratch_bytes counts with (kPanelBytes). A limit of 0 is one
  /// tile of rows. dx is summed panel after panel, so that its rounding depends on this.
  void limit_panels(std::int64_t bytes) { panel_bytes_ = std::min(bytes, kPanelBytes); }

  // --- for what ops are made of (gemm.h, decode.h, convert.h) ---
  KernelFamily family() const { return library_.family(); }

  /// Kernels beside the engine's own, those of native/ladder: launch() finds them under this module's name. The codes of Module::load.
  Status add_kernels(const std::string& module, const std::string& ptx);

  /// Runs a kernel behind all that was given to the stream. Code::cancelled, with nothing run, once the flag is set.
  /// `work` is what the host waits by (pace.h).
  template <class Args>
  Status launch(const Kernel<Args>& kernel, const Shape& shape, const Work& work, const Args& args) {
    return launch_kernel(kernel, shape, work, &args);
  }

 private:
  Status launch_kernel(const KernelName& kernel, const Shape& shape, const Work& work, const void* args);

  /// `bytes` of scratch for one op, aligned to 256. What it holds is lost with the next op; ops in the stream do not meet in it.
  /// gpu.memory_insufficient, or `internal` where more was planned for than was lent.
  Result<std::byte*> scratch(std::size_t bytes);

  /// Whether an address lies in memory that allocate gave.
  bool owns(const void* address) const;

  /// Sleeps until all work is done, and says what failed in it.
  Status wait();
  /// Makes the context current in the calling thread.
  Status enter() const { return context_->bind(); }

  std::unique_ptr<Context> context_;
  UsedCard card_;
  KernelLibrary library_;
  Staging staging_;
  Pace pace_;
  std::unique_ptr<Event> done_;
  const std::atomic<bool>* cancel_ = nullptr;
  double launch_flop_ = kLaunchFlop;
  std::function<void(const KernelName&, const Work&)> seen_;
  std::map<std::uintptr_t, std::size_t> allocations_;  // bytes by address
  void* own_scratch_ = nullptr;
  std::size_t own_scratch_bytes_ = 0;
  std::byte* lent_scratch_ = nullptr;
  std::size_t lent_scratch_bytes_ = 0;
  std::int64_t panel_bytes_ = kPanelBytes;
};

}  // namespace namesake::cuda
