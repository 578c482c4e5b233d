// Ops: every piece of arithmetic of the engine, once, with shapes. A backend implements all of them.
//
// Letters: M rows (tokens) of a call · K in features · N out features · R LoRA rank · C hidden size · V vocabulary
//          H query heads · G key/value heads · D head size · S sequences. All arrays are dense and row-major, f32 unless said.
// Rules every backend keeps:
//  - One order of accumulation per output element and phase: a row's result never depends on M, on other rows, on the
//    number of threads, or on where the row stands in the batch.
//  - M = 0 and empty sequences are valid and do nothing.
//  - Pointers come from Backend::allocate (or are weights placed with Backend::place); shapes are checked by the caller.
//  - Cancellation is looked at between tiles; a cancelled op returns Code::cancelled and leaves its outputs undefined.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "formats/blocks.h"
#include "namesake/gpu.h"
#include "namesake/status.h"

namespace namesake {

/// Prefill sums in the order of the blocked matrix product, decode in that of the dot product. Each is the same for every M.
enum class Phase { prefill, decode };

/// A LoRA pair on one linear layer: y += scale * (x Aᵀ) Bᵀ (Hu et al. 2021, arXiv 2106.09685).
struct LoraView {
  const float* a = nullptr;       ///< [R, K]
  const float* b = nullptr;       ///< [N, R]
  std::int64_t rank = 0;          ///< R
  float scale = 0;                ///< alpha / R
  const float* row_on = nullptr;  ///< [M] 1 = adapter on for this row, 0 = off; nullptr = on for all rows
};

/// Cosines and sines of the rotary embedding (Su et al. 2021, arXiv 2104.09864).
struct RopeTable {
  const float* cos = nullptr;   ///< [positions, D / 2]
  const float* sin = nullptr;   ///< [positions, D / 2]
  std::int64_t positions = 0;
  bool adjacent = false;        ///< pairs are (2i, 2i+1) as in GGUF arch llama; false: (i, i + D/2) as in Hugging Face
};

/// Shape of an attention call.
struct AttentionShape {
  std::int64_t heads = 0;     ///< H
  std::int64_t kv_heads = 0;  ///< G, divides H; query head h reads kv head h / (H / G)
  std::int64_t head_dim = 0;  ///< D
  bool causal = true;         ///< row i of a sequence sees rows 0..i of it; false: all of it
  float scale = 0;            ///< 1 / sqrt(D)
};

/// Keys and values of one layer for generation.
struct KvView {
  float* k = nullptr;         ///< [slots, capacity, G, D], after rope
  float* v = nullptr;         ///< [slots, capacity, G, D]
  std::int64_t capacity = 0;  ///< positions per slot
};

/// Fused head, cross-entropy and KL over M rows. Rows with ce_weight = kl_weight = 0 are skipped before the head.
struct HeadLoss {
  Matrix head;                              ///< [V, C]
  std::int64_t M = 0;                       ///< rows
  const float* x = nullptr;                 ///< [M, C] tuned hidden states, after the final norm
  const float* x_base = nullptr;            ///< [M, C] the same rows with the adapter off; nullptr where no KL is asked for
  const std::int32_t* targets = nullptr;    ///< [M] next token, used where ce_weight != 0 (and then in 0..V-1)
  const float* ce_weight = nullptr;         ///< [M] weight of this row's cross-entropy in the loss
  const float* kl_weight = nullptr;         ///< [M] weight of KL(base ‖ tuned) at this row in the loss
  float* ce = nullptr;                      ///< [M] out: unweighted cross-entropy where ce_weight != 0, else 0
  float* kl = nullptr;                      ///< [M] out: unweighted KL where kl_weight != 0, else 0 (may be nullptr without x_base)
  float* dx = nullptr;                      ///< [M, C] out: gradient of the weighted sum; nullptr = loss only. 0 for skipped rows
};

/// AdamW (Loshchilov & Hutter 2019, arXiv 1711.05101), eps outside the root, bias correction by `step`.
struct AdamW {
  float lr = 0, beta1 = 0.9f, beta2 = 0.999f, eps = 1e-8f, weight_decay = 0;
  std::int64_t step = 1;   ///< counts from 1
  float grad_scale = 1;    ///< gradient is multiplied by this first (clipping)
};

/// The largest calls that will be made of a backend, for the size of its scratch. Sizes that no call has are 0.
struct Workload {
  std::int64_t hidden = 0, ffn = 0, heads = 0, kv_heads = 0, head_dim = 0, vocab = 0;  ///< of the model
  bool fused_qkv = false;        ///< a linear layer has all of q, k and v
  std::int64_t rank = 0;         ///< R, 0 = no adapter
  std::int64_t rows = 0;         ///< M of linear layers and attention
  std::int64_t ffn_rows = 0;     ///< M of those linear layers that have the FFN's width on a side
  std::int64_t sequence = 0;     ///< longest sequence of an attention call
  std::int64_t loss_rows = 0;    ///< M of head_loss
  bool compares = false;         ///< head_loss gets x_base
  bool backward = false;         ///< backward ops and optimizer too
  std::int64_t cached_keys = 0;  ///< most positions of attention_cached, 0 = no decoding
  std::int64_t logit_rows = 0;   ///< M of the head as a linear layer
  bool f32_matrices = true;      ///< some matrix may be f32: a backend that multiplies others in fewer bits has no use for less room
};

class Backend {
 public:
  virtual ~Backend() = default;

  /// "reference", "cpu" or "cuda"; isa() is "scalar", "avx2", "avx512", "avx512bf16", "amxbf16", "neon" (reference: "scalar"), or a card's "sm_86".
  virtual std::string name() const = 0;
  virtual std::string isa() const = 0;
  virtual int threads() const = 0;
  /// The card that computes; none on a processor.
  virtual std::optional<UsedCard> card() const { return {}; }

  /// Whether ops read the host's memory, so that weights may stay where their file is mapped. Otherwise a model copies its weights
  /// into memory of the backend, all but an embedding that is not the head too: embedding_forward takes a table in either.
  virtual bool reads_host_memory() const { return true; }

  /// Ops return Code::cancelled soon after *flag becomes true. nullptr = never. Not owned.
  virtual void set_cancel(const std::atomic<bool>* flag) = 0;

  // --- memory ---
  /// Bytes that allocate could still give without harm to the machine: an estimate, see backend/host_memory.h.
  virtual std::uint64_t available() const = 0;
  /// Zeroed memory of `bytes`, 64-byte aligned; memory.insufficient (a card's: gpu.memory_insufficient) if there is none.
  virtual Result<void*> allocate(std::size_t bytes) = 0;
  virtual void release(void* pointer) = 0;
  /// The machine may use the pages of allocated memory until it is written again; contents are undefined from here on.
  virtual void discard(void* pointer, std::size_t bytes) = 0;
  /// Most bytes of scratch that an op needs in calls up to the sizes of `work`.
  virtual std::size_t scratch_bytes(const Workload& work) const = 0;
  /// Ops take their scratch from here, and fail with `internal` where they need more. nullptr (the default): from memory of their
  /// own that grows with what is asked of them. Not owned.
  virtual void lend_scratch(void* memory, std::size_t bytes) = 0;
  virtual Status upload(void* to, const void* from_host, std::size_t bytes) = 0;
  virtual Status download(void* to_host, const void* from, std::size_t bytes) = 0;
  virtual Status copy(void* to, const void* from, std::size_t bytes) = 0;
  virtual Status zero(void* to, std::size_t bytes) = 0;
  /// Returns when all that ops were asked for is done, with what failed of it. Only a card does anything after an op has returned.
  virtual Status finish() { return {}; }

  /// y += x over n values: gradients that meet, in the caller's order.
  virtual Status add(const float* x, std::int64_t n, float* y) = 0;

  /// y = x over n values, rounded to bf16 (to nearest even; NaN stays NaN): for what is kept in half the room.
  virtual Status to_bf16(const float* x, std::int64_t n, std::uint16_t* y) = 0;
  /// y = x over n values, exactly.
  virtual Status from_bf16(const std::uint16_t* x, std::int64_t n, float* y) = 0;

  // --- layers ---
  /// y [M, C] = rows `ids` [M] of table [V, C], decoded.
  virtual Status embedding_forward(const Matrix& table, const std::int32_t* ids, std::int64_t M, float* y) = 0;

  /// y = x * rstd * weight, rstd = 1 / sqrt(mean(x²) + eps) (Zhang & Sennrich 2019). x, y [M, C] (y may be x), weight [C], rstd [M]
  /// out (may be nullptr). M may be tokens times heads: a norm of each head.
  virtual Status rmsnorm_forward(const float* x, const float* weight, float eps, std::int64_t M, std::int64_t C, float* y,
                                 float* rstd) = 0;
  /// dx [M, C] += gradient of rmsnorm at x for dy [M, C].
  virtual Status rmsnorm_backward(const float* dy, const float* x, const float* weight, const float* rstd, std::int64_t M,
                                  std::int64_t C, float* dx) = 0;

  /// Rotates x [M, heads, D] in place by `positions` [M].
  virtual Status rope_forward(float* x, const std::int32_t* positions, const RopeTable& table, std::int64_t M,
                              std::int64_t heads, std::int64_t D) = 0;
  /// Rotates back: the gradient of rope_forward, in place.
  virtual Status rope_backward(float* dx, const std::int32_t* positions, const RopeTable& table, std::int64_t M,
                               std::int64_t heads, std::int64_t D) = 0;

  /// Takes the output of a fused q/k/v layer apart: qkv [M, G, H/G + 2, D] (for each key/value head its query heads, its key, its
  /// value) to q [M, H, D], k and v [M, G, D].
  virtual Status split_qkv(const float* qkv, std::int64_t M, std::int64_t heads, std::int64_t kv_heads, std::int64_t D, float* q,
                           float* k, float* v) = 0;
  /// Puts it together again: also the gradient of split_qkv.
  virtual Status join_qkv(const float* q, const float* k, const float* v, std::int64_t M, std::int64_t heads,
                          std::int64_t kv_heads, std::int64_t D, float* qkv) = 0;

  /// y [M, N] = x [M, K] Wᵀ (+ bias [N]) (+ LoRA) (+ residual [M, N], which may be y itself).
  /// lora may be nullptr; xa [M, R] out: x Aᵀ, unscaled (needed with lora; scratch of the caller).
  /// With lora and in phase prefill y may be nullptr: xa alone, the same bits of it.
  virtual Status linear_forward(const Matrix& w, const float* bias, const LoraView* lora, const float* x, std::int64_t M,
                                const float* residual, float* y, float* xa, Phase phase) = 0;
  /// dx [M, K] = (or += when accumulate) dy W + scale (dy B) A; da [R, K] += scale (dy B)ᵀ x; db [N, R] += scale dyᵀ xa.
  /// lora, xa, da, db are nullptr together; dx may be nullptr (lowest layer). row_on is respected.
  virtual Status linear_backward(const Matrix& w, const LoraView* lora, const float* x, const float* xa, const float* dy,
                                 std::int64_t M, bool accumulate, float* dx, float* da, float* db) = 0;

  /// y = silu(gate) * up, element by element over n values (Shazeer 2020).
  virtual Status swiglu_forward(const float* gate, const float* up, std::int64_t n, float* y) = 0;
  /// dgate, dup from dy. dgate may be gate and dup may be up (in place).
  virtual Status swiglu_backward(const float* dy, const float* gate, const float* up, std::int64_t n, float* dgate,
                                 float* dup) = 0;

  /// Block-diagonal attention over S packed sequences; sequence s is rows cu_seqlens[s]..cu_seqlens[s+1] (host memory, [S + 1]).
  /// q [M, H, D], k and v [M, G, D], o [M, H, D]; lse [M, H] out: log of the row's softmax sum (Dao et al. 2022, arXiv 2205.14135).
  virtual Status attention_forward(const float* q, const float* k, const float* v, const std::int32_t* cu_seqlens,
                                   std::int64_t S, const AttentionShape& shape, float* o, float* lse) = 0;
  /// dq, dk, dv = gradients for do_ [M, H, D]; k/v heads sum over their query heads in a fixed order.
  virtual Status attention_backward(const float* do_, const float* q, const float* k, const float* v, const float* o,
                                    const float* lse, const std::int32_t* cu_seqlens, std::int64_t S,
                                    const AttentionShape& shape, float* dq, float* dk, float* dv) = 0;

  /// Stores k, v [M, G, D] at (slots[m], positions[m]) of the cache (slots, positions in host memory).
  virtual Status kv_write(const float* k, const float* v, const std::int32_t* slots, const std::int32_t* positions,
                          std::int64_t M, std::int64_t kv_heads, std::int64_t head_dim, const KvView& cache) = 0;
  /// o [M, H, D]: row m sees positions 0..positions[m] of slot slots[m]. One order of sums, for prompt and decode alike.
  virtual Status attention_cached(const float* q, const std::int32_t* slots, const std::int32_t* positions, std::int64_t M,
                                  const AttentionShape& shape, const KvView& cache, float* o) = 0;

  /// See HeadLoss. Row and vocabulary chunks; logits of all rows never exist at once.
  virtual Status head_loss(const HeadLoss& args) = 0;

  // --- optimizer ---
  /// Sum of squares of n values in f64, fixed tree.
  virtual Status sum_of_squares(const float* x, std::int64_t n, double* sum) = 0;
  /// One AdamW update of n values; m and v are the moments.
  virtual Status adamw(const AdamW& options, std::int64_t n, const float* grad, float* value, float* m, float* v) = 0;
  /// The same with moments of 8 bits (Dettmers et al. 2022, arXiv 2110.02861): m in the signed dynamic map, v in the unsigned one
  /// (formats/dynamic_map.h), codes [n], an absmax of each 256 values [n / 256, rounded up]. A block is decoded, `value` takes its
  /// step from the moments as they are in f32, then they get their new absmax and the nearest codes. Codes and absmax that are all 0
  /// are moments of 0. A block's bits depend on nothing but the block.
  virtual Status adamw_8bit(const AdamW& options, std::int64_t n, const float* grad, float* value, std::uint8_t* m_codes,
                            float* m_absmax, std::uint8_t* v_codes, float* v_absmax) = 0;
};

/// Plain loops with f64 sums: the specification that other backends are compared with. One thread.
std::unique_ptr<Backend> make_reference_backend();

/// The fast CPU backend. isa: "auto" | "scalar" | "avx2" | "avx512" | "avx512bf16" | "amxbf16" | "neon"; isa.unsupported names what this
/// CPU, or for amxbf16 the system, lacks.
/// threads 0 = all physical cores. Low priority threads are the host's business.
Result<std::unique_ptr<Backend>> make_cpu_backend(const std::string& isa, int threads);

/// The backend on an NVIDIA card: number `ordinal`, or of those that can be used the one with the most free memory. gpu.* says what
/// there is not.
Result<std::unique_ptr<Backend>> make_cuda_backend(std::optional<int> ordinal = std::nullopt);

}  // namespace namesake
