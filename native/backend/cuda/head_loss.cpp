// Fused head, cross-entropy and KL. The vocabulary is walked in fixed chunks twice: for the softmax of each row, then for its gradient.
//
// Rows that count are drawn together, those with a KL weight first, and go through the head in groups of kHeadRows. A chunk of the head is
// decoded to 16 bits; its logits are a matrix product. Logits of all rows and the whole vocabulary never exist at once.
#include <algorithm>
#include <cmath>
#include <vector>

#include "backend/cuda/alignment.h"
#include "backend/cuda/convert.h"
#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/decode.h"
#include "backend/cuda/gemm.h"
#include "backend/cuda/kernels/head_loss_args.h"

namespace namesake::cuda {
namespace {

constexpr Kernel<HeadRowsArgs> kGather{"head_loss", "head_gather"}, kScatter{"head_loss", "head_scatter"};
constexpr Kernel<HeadStatisticsArgs> kStatistics{"head_loss", "head_statistics"};
constexpr Kernel<HeadLossesArgs> kLosses{"head_loss", "head_losses"};
constexpr Kernel<HeadGradientArgs> kGradient{"head_loss", "head_gradient"};

/// Rows of the vocabulary in a chunk. It sets the order of sums, so it is the same whatever M is.
constexpr std::int64_t kHeadChunk = 8192;

/// Rows that go through the head together.
constexpr std::int64_t kHeadRows = 2048;

/// What a call needs. With g rows at once, L = kHeadChunk columns of logits and C features (both as strides of 16-bit rows), it is
///   g L (4 + 2 with a gradient) + g C (4 + 2) + L C 2, and with a base g L 4 + g C 2 more;
/// of Qwen2.5-1.5B (C 1,536) at 2,048 rows with KL and gradient 219 MB, whatever its vocabulary.
struct HeadScratch {
  ScratchPlan plan;
  std::int64_t group, ld, ldc, chunks;
  std::size_t rows, row_factors, x, x_factors, base, base_factors, gathered, head, logits, base_logits, gradient, parts, target_logits, softmax;

  /// `count` rows that count, `compared` of them with KL.
  HeadScratch(std::int64_t count, std::int64_t compared, bool with_gradient, std::int64_t V, std::int64_t C)
      : group(std::min(count, kHeadRows)), ld(half_stride(std::min(V, kHeadChunk))), ldc(half_stride(C)), chunks(ceil_div(V, kHeadChunk)) {
    const std::int64_t bases = std::min(compared, group);
    rows = take<HeadRow>(count);
    row_factors = take<float>(count);
    x = take<Half>(group * ldc);
    x_factors = take<float>(group);
    base = take<Half>(bases * ldc);
    base_factors = take<float>(bases);
    gathered = take<float>(group * C);
    head = take<Half>(ld * ldc);
    logits = take<float>(group * ld);
    base_logits = take<float>(bases * ld);
    gradient = take<Half>(with_gradient ? group * ld : 0);
    parts = take<HeadPart>(chunks * group);
    target_logits = take<float>(group);
    softmax = take<HeadSoftmax>(group);
  }

 private:
  template <class T>
  std::size_t take(std::int64_t n) {
    return plan.take(n * std::int64_t{sizeof(T)});
  }
};

/// The rows of a call that have a weight, those that are compared first, and the powers of two that their gradients are divided by.
struct HeadRows {
  std::vector<HeadRow> rows;
  std::vector<float> factors;
  std::int64_t compared = 0;

  HeadRows(const std::vector<float>& ce, const std::vector<float>& kl) {
    for (bool comparing : {true, false}) {
      for (std::size_t m = 0; m < ce.size(); ++m) {
        if ((kl[m] != 0) != comparing || (ce[m] == 0 && kl[m] == 0)) continue;
        // No gradient of a logit is larger than the weights together: in f16 that becomes 2^13..2^14, so that the least that is not lost
        // is 2^-38 of it.
        const std::int64_t largest = std::ilogb(std::fabs(ce[m]) + std::fabs(kl[m]));
        const int exponent = static_cast<int>(std::clamp<std::int64_t>(13 - largest, -100, 100));
        rows.push_back({static_cast<std::int32_t>(m), ce[m], kl[m], std::ldexp(1.0f, exponent)});
        factors.push_back(std::ldexp(1.0f, -exponent));
      }
      if (comparing) compared = static_cast<std::int64_t>(rows.size());
    }
  }
  std::int64_t count() const { return static_cast<std::int64_t>(rows.size()); }
};

/// A group of rows on its way through the head, with the scratch that it uses.
class HeadGroup {
 public:
  HeadGroup(CudaBackend& backend, const HeadLoss& args, const HeadScratch& at, std::byte* memory, std::int64_t first, std::int64_t count,
            std::int64_t compared)
      : backend_(backend), args_(args), at_(at), memory_(memory), V_(args.head.rows), C_(args.head.cols), count_(count), compared_(compared),
        rows_(piece<HeadRow>(at.rows) + first), row_factors_(piece<float>(at.row_factors) + first) {}

  /// From rows to losses and gradients.
  Status run() {
    NAMESAKE_TRY(round(args_.x, count_, at_.x, at_.x_factors));
    if (compared_ > 0) NAMESAKE_TRY(round(args_.x_base, compared_, at_.base, at_.base_factors));
    for (std::int64_t chunk = 0; chunk < at_.chunks; ++chunk) {
      NAMESAKE_TRY(logits(chunk));
      NAMESAKE_TRY(statistics(chunk));
    }
    NAMESAKE_TRY(losses());
    if (args_.dx == nullptr) return {};
    // From the last chunk down: its logits are still there.
    for (std::int64_t chunk = at_.chunks - 1; chunk >= 0; --chunk) {
      if (chunk < at_.chunks - 1) NAMESAKE_TRY(logits(chunk));
      NAMESAKE_TRY(gradient(chunk));
    }
    return backend_.launch(kScatter, {{count_}, {kHeadThreads}}, moves(count_ * (2 * C_ + kHeadThreads)),
                           {gathered(), args_.dx, rows_, C_, takes_fours(C_, {gathered(), args_.dx})});
  }

 private:
  template <class T>
  T* piece(std::size_t at) const {
    return reinterpret_cast<T*>(memory_ + at);
  }
  /// Rows in f32: first of the input, then of its gradient.
  float* gathered() const { return piece<float>(at_.gathered); }
  std::int64_t first(std::int64_t chunk) const { return chunk * kHeadChunk; }
  std::int64_t size(std::int64_t chunk) const { return std::min(kHeadChunk, V_ - first(chunk)); }

  /// The first `count` rows of x in 16 bits.
  Status round(const float* x, std::int64_t count, std::size_t to, std::size_t factors) {
    NAMESAKE_TRY(backend_.launch(kGather, {{count}, {kHeadThreads}}, moves(count * (2 * C_ + kHeadThreads)), {x, gathered(), rows_, C_, takes_fours(C_, {x, gathered()})}));
    RoundRows args;
    args.x = gathered();
    args.rows = count;
    args.cols = C_;
    args.out = piece<Half>(to);
    args.ld = at_.ldc;
    args.factor = piece<float>(factors);
    return round_rows(backend_, args);
  }

  /// A chunk of the head, and the logits of tuned and base.
  Status logits(std::int64_t chunk) {
    NAMESAKE_TRY(decode_rows(backend_, args_.head, first(chunk), size(chunk), piece<Half>(at_.head), at_.ldc));
    const auto product = [&](std::int64_t rows, std::size_t x, std::size_t factors, std::size_t to) {
      Gemm args;
      args.form = Form::rows_rows;
      args.M = rows;
      args.N = size(chunk);
      args.first = {piece<Half>(x), at_.ldc, piece<Half>(at_.head), at_.ldc, C_, piece<float>(factors)};
      args.c = piece<float>(to);
      args.ldc = at_.ld;
      return gemm(backend_, args);
    };
    NAMESAKE_TRY(product(count_, at_.x, at_.x_factors, at_.logits));
    return product(compared_, at_.base, at_.base_factors, at_.base_logits);
  }

  Status statistics(std::int64_t chunk) {
    return backend_.launch(kStatistics, {{count_}, {kHeadThreads}}, moves(2 * (count_ + compared_) * size(chunk)),
                           {piece<float>(at_.logits), piece<float>(at_.base_logits), at_.ld, first(chunk), size(chunk), rows_, compared_,
                            args_.targets, piece<HeadPart>(at_.parts) + chunk * count_, piece<float>(at_.target_logits)});
  }

  Status losses() {
    return backend_.launch(kLosses, one_each(count_, kHeadThreads), moves(16 * at_.chunks * count_),
                           {piece<HeadPart>(at_.parts), at_.chunks, count_, piece<float>(at_.target_logits), rows_,
                            piece<HeadSoftmax>(at_.softmax), args_.ce, args_.kl});
  }

  /// Gradient of a chunk's logits, and what it adds to that of the rows.
  Status gradient(std::int64_t chunk) {
    NAMESAKE_TRY(backend_.launch(kGradient, {{ceil_div(size(chunk), kHeadThreads * kHeadGradients), count_}, {kHeadThreads}},
                                 moves((2 * count_ + compared_) * size(chunk)),
                                 {piece<float>(at_.logits), piece<float>(at_.base_logits), at_.ld, first(chunk), size(chunk), rows_,
                                  compared_, args_.targets, piece<HeadSoftmax>(at_.softmax), piece<Half>(at_.gradient)}));
    Gemm args;
    args.form = Form::rows_columns;
    args.M = count_;
    args.N = C_;
    args.first = {piece<Half>(at_.gradient), at_.ld, piece<Half>(at_.head), at_.ldc, size(chunk), row_factors_};
    args.residual = chunk < at_.chunks - 1 ? gathered() : nullptr;
    args.c = gathered();
    args.ldc = C_;
    return gemm(backend_, args);
  }

  CudaBackend& backend_;
  const HeadLoss& args_;
  const HeadScratch& at_;
  std::byte* memory_;
  std::int64_t V_, C_, count_, compared_;
  const HeadRow* rows_;
  const float* row_factors_;
};

}  // namespace

std::size_t head_loss_scratch(const Workload& work) {
  if (work.loss_rows == 0) return 0;
  return HeadScratch(work.loss_rows, work.compares ? work.loss_rows : 0, work.backward, work.vocab, work.hidden).plan.bytes();
}

Status CudaBackend::head_loss(const HeadLoss& args) {
  const std::int64_t M = args.M, C = args.head.cols;
  const auto bytes = [](std::int64_t floats) { return static_cast<std::size_t>(floats) * sizeof(float); };
  for (float* out : {args.ce, args.kl}) {
    if (out != nullptr) NAMESAKE_TRY(zero(out, bytes(M)));
  }
  if (args.dx != nullptr) NAMESAKE_TRY(zero(args.dx, bytes(M * C)));
  std::vector<float> ce(static_cast<std::size_t>(M)), kl(ce.size());
  if (args.ce_weight != nullptr) NAMESAKE_TRY(download(ce.data(), args.ce_weight, bytes(M)));
  if (args.kl_weight != nullptr && args.x_base != nullptr) NAMESAKE_TRY(download(kl.data(), args.kl_weight, bytes(M)));
  const HeadRows rows(ce, kl);
  if (rows.count() == 0) return {};

  const HeadScratch at(rows.count(), rows.compared, args.dx != nullptr, args.head.rows, C);
  const auto memory = scratch(at.plan.bytes());
  if (!memory.ok()) return memory.status();
  NAMESAKE_TRY(upload(memory.value() + at.rows, rows.rows.data(), rows.rows.size() * sizeof(HeadRow)));
  NAMESAKE_TRY(upload(memory.value() + at.row_factors, rows.factors.data(), bytes(rows.count())));
  for (std::int64_t first = 0; first < rows.count(); first += at.group) {
    const std::int64_t count = std::min(at.group, rows.count() - first);
    HeadGroup group(*this, args, at, memory.value(), first, count, std::clamp<std::int64_t>(rows.compared - first, 0, count));
    NAMESAKE_TRY(group.run());
  }
  return {};
}

}  // namespace namesake::cuda
