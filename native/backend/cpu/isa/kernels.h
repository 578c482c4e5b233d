// KernelTable: the inner loops of the cpu backend, one table per instruction set (kernels_<isa>.cpp).
//
// The kernels are written once (the *_kernels.h beside this file) over a small SIMD wrapper (simd_<isa>.h). Everything in them
// has internal linkage: a function shared with baseline code and compiled with wider instructions would be picked by the
// linker for both, and crash a CPU that lacks them. For the same reason this header and theirs use no standard templates.
#pragma once

#include <stdint.h>

/// For what decodes a panel: a compiler that leaves it a function of its own hands the values over in memory, at twice the time.
#define NAMESAKE_INLINE inline __attribute__((always_inline))

namespace namesake::cpu {

/// Same values as BlockType; cpu_backend.cpp asserts it.
enum class WeightType : uint8_t { f32, f16, bf16, q4_0, q4_1, q5_0, q5_1, q8_0, q4_k, q5_k, q6_k, nf4 };

/// Width of every column panel: the values of a quantised block, or of a sub-block of a K-quant.
inline constexpr int64_t kPanel = 32;

/// Heads that kernels.attention_heads takes at a time, at most, on any instruction set.
inline constexpr int64_t kHeadsTogether = 4;

/// What an nf4 matrix is decoded with beside its codes; see Nf4Scales of formats/blocks.h and formats/nf4.h.
struct Nf4View {
  const uint8_t* absmax;
  const float* nested;
  float offset;
  const float* absmax_values;  ///< [256] of the codes of absmax
  const float* values;         ///< [16] of the codes of the matrix
};

/// A matrix to read: rows of blocks, `stride` bytes apart. Activations are f32 views.
struct WeightView {
  WeightType type;
  const uint8_t* data;
  int64_t rows;
  int64_t cols;
  int64_t stride;
  Nf4View nf4 = {};
};

/// C [rows, cols] = A B (+ bias) (+ add): multiply-adds over depth in an order that is the same for every element, then bias, then
/// add. So an element's bits depend on nothing but its own row of A and column of B. A and B are packed: see Products.
struct TileArgs {
  int64_t rows;         ///< 1..tile_rows
  int64_t cols;         ///< 1..kPanel
  int64_t depth;        ///< words
  const float* a;       ///< as Products::pack_rows leaves it; element (i, k) at a[i * kPanel + k] (tile_transposed)
  int64_t a_step;       ///< rows that were packed together
  const float* b;       ///< panels of `panel_width` columns: (k, j) at b[j / width * b_panel + k * b_step + j % width]
  int64_t b_step;
  int64_t b_panel;
  float* c;             ///< element (i, j) at c[i * ldc + j]
  int64_t ldc;
  const float* bias;    ///< [cols] or null
  const float* add;     ///< element (i, j) at add[i * ld_add + j], or null; may be c
  int64_t ld_add;
};

/// y [M, n0..n1] = x Wᵀ (+ xs Bᵀ) (+ bias) (+ residual) by dot products: lanes over k, one fixed reduction.
struct DotArgs {
  WeightView w;
  int64_t n0, n1;          ///< rows of w
  const float* x;          ///< [M, ldx], zero from w.cols to the next multiple of kPanel
  int64_t ldx;
  int64_t m_count;
  const float* lora_b;     ///< [N, rank] or null
  const float* xs;         ///< [M, rank]: xa * scale * row_on
  int64_t rank;
  const float* bias;       ///< [N] or null
  const float* residual;   ///< [M, ldy] or null
  float* y;                ///< [M, ldy]
  int64_t ldy;
  float* scratch;          ///< 4 * (w.cols rounded up to kPanel) floats
};

/// Log of a softmax sum, [kPanel], in two parts: their sum is good to f64's last bits, and x - high - low to f32's.
struct LogSum {
  float* high;
  float* low;
};

/// Turns n logits x [n][kPanel] into the gradient (ce_weight + kl_weight) p - kl_weight p_base, where `write`, and gives
/// kl = sum of p_base (base - x + shift) with shift near lse - lse_base: small terms, so that a small KL keeps its digits.
struct LossArgs {
  float* x;
  const float* base;       ///< [n][kPanel] or null: no KL
  int64_t n;
  LogSum lse, lse_base;
  const float* shift;      ///< [kPanel]
  const float* ce_weight;  ///< [kPanel]
  const float* kl_weight;  ///< [kPanel]
  bool write;
  float* kl;               ///< [kPanel]
};

/// AdamW constants of one step.
struct AdamWArgs {
  float step_size;    ///< lr / (1 - beta1^t)
  float beta1, beta2, eps;
  float root_scale;   ///< 1 / sqrt(1 - beta2^t)
  float keep;         ///< 1 - lr * weight_decay
  float grad_scale;
};

/// The map of the codes of one of AdamW's moments: see DynamicMap of formats/dynamic_map.h.
struct CodeMap {
  const float* values;   ///< [256]
  const float* bounds;   ///< [256]
  const uint8_t* first;  ///< [65536]
};

inline constexpr int64_t kMomentBlock = 256;  ///< values of one absmax

/// One of AdamW's moments in 8 bits: codes [n], absmax [n / kMomentBlock, rounded up].
struct CodedMoment {
  CodeMap map;
  uint8_t* codes;
  float* absmax;
};

/// A matrix product and the form of its operands: they are packed into 32-bit words along the depth (declared as float, whatever
/// they hold), an f32 or two neighbouring bf16, the first in the lower half. A last word that is not full is padded with 0, and so
/// are the words that follow it up to a multiple of depth_step.
struct Products {
  int64_t values;        ///< of a word: 1 = f32, 2 = bf16
  int64_t tile_rows;     ///< most rows of a tile
  int64_t panel_width;   ///< columns of one packed panel: divides kPanel
  int64_t depth_step;    ///< words: a packed depth, and every depth of a tile, is a multiple of it

  /// Rows n0..n0+rows (<= tile_rows) of w, decoded, as a tile's A of `rows` rows: word k of row i at out[k * rows + i], or at
  /// out[(k / 16 * rows + i) * 16 + k % 16] where depth_step is 16. So depths that are packed one by one can follow each other.
  void (*pack_rows)(const WeightView& w, int64_t n0, int64_t rows, float* out);
  /// out [kPanel / width][depth][width]: rows n0..n0+rows (<= kPanel) of w as columns; columns past `rows` are 0. Writes the words of
  /// w.cols, of `depth` words.
  void (*pack_columns)(const WeightView& w, int64_t n0, int64_t rows, int64_t depth, float* out);
  /// The same layout without a transpose: columns col0..col0+31 of w's rows n0..n1; columns past w.cols are 0.
  void (*pack_slice)(const WeightView& w, int64_t col0, int64_t n0, int64_t n1, int64_t depth, float* out);
  /// Makes a tile's A of kPanel rows of x [n][kPanel], in place: its columns are the rows. Null where a word is an f32: nothing to do.
  void (*narrow_columns)(float* x, int64_t n);
  void (*tile)(const TileArgs& args);
  /// Gives up what `tile` holds of the CPU in this thread; null where it holds nothing. Threads call it before other code may run.
  void (*release)();

  /// The multiply-adds of `tile` and nothing else, `rounds` times, from registers to registers: what no product can be faster than
  /// (backend/cpu/peak). Gives a value of them, so that they are computed.
  float (*burst)(int64_t rounds);
  int64_t burst_flops;   ///< of a round; a multiply-add is two
};

struct KernelTable {
  const char* isa;
  Products f32;             ///< operands as they are
  const Products* narrow;   ///< with operands rounded to bf16 and f32 sums, for matrices that are not f32; null = f32's for all

  /// out [cols] = row n of w.
  void (*decode_row)(const WeightView& w, int64_t n, float* out);

  // --- products in f32 ---
  /// The same as f32.tile with another form of A, see TileArgs.
  void (*tile_transposed)(const TileArgs& args);
  void (*dot)(const DotArgs& args);

  // --- columns: buffers [n][kPanel] whose lanes are independent rows of the batch ---
  /// s *= scale; max over keys; s = exp(s - max); sum. first >= 0 hides key j from lane i where j > first + i.
  void (*softmax_columns)(float* s, int64_t n, int64_t first, float scale, float* max, float* sum);
  /// s = exp(s * scale - lse), ds = s * (ds - delta) * scale, hidden keys 0.
  void (*softmax_columns_backward)(float* s, float* ds, int64_t n, int64_t first, float scale, const float* lse,
                                   const float* delta);
  /// Max and sum of exp(x - max) of each lane.
  void (*logsumexp_columns)(const float* x, int64_t n, float* max, float* sum);
  void (*loss_columns)(const LossArgs& args);

  // --- rows ---
  /// o [heads, D] of one query's heads, which share `n` cached keys and values, `stride` floats apart; scores holds kHeadsTogether times n
  /// rounded up to 16.
  void (*attention_heads)(const float* q, int64_t heads, const float* k, const float* v, int64_t stride, int64_t n, int64_t D, float scale,
                          float* scores, float* o);
  float (*rmsnorm_row)(const float* x, const float* weight, float eps, int64_t C, float* y);
  void (*rmsnorm_row_backward)(const float* dy, const float* x, const float* weight, float rstd, int64_t C, float* dx);
  /// Rotates one head; sign -1 rotates back.
  void (*rope_row)(float* x, const float* cos, const float* sin, int64_t half, bool adjacent, float sign);
  float (*dot_row)(const float* a, const float* b, int64_t n);
  void (*add_row)(const float* x, int64_t n, float* y);

  // --- elements ---
  void (*to_bf16)(const float* x, int64_t n, uint16_t* y);
  void (*from_bf16)(const uint16_t* x, int64_t n, float* y);
  void (*swiglu)(const float* gate, const float* up, int64_t n, float* y);
  void (*swiglu_backward)(const float* dy, const float* gate, const float* up, int64_t n, float* dgate, float* dup);
  double (*sum_of_squares)(const float* x, int64_t n);
  void (*adamw)(const AdamWArgs& args, int64_t n, const float* grad, float* value, float* m, float* v);
  void (*adamw_8bit)(const AdamWArgs& args, int64_t n, const float* grad, float* value, const CodedMoment& m, const CodedMoment& v);
};

extern const KernelTable kScalarKernels;
#if defined(__x86_64__) || defined(_M_X64)
extern const KernelTable kAvx2Kernels;
extern const KernelTable kAvx512Kernels;
extern const Products kAvx512Bf16Products;  ///< of an AVX-512 with BF16; everything else is kAvx512Kernels
extern const Products kAmxBf16Products;     ///< of a CPU with AMX-BF16; the same
#elif defined(__aarch64__) || defined(_M_ARM64)
extern const KernelTable kNeonKernels;
#endif

}  // namespace namesake::cpu
