// Fused head, cross-entropy and KL. Rows without a weight are left out; the others form groups of 32 whose logits are kept as
// [vocabulary][32 rows], so that softmax runs down the columns and the buffer is the left operand of the gradient's product.
// The vocabulary is walked in fixed pieces, in ascending order, and never meets the number of rows or threads.
#include <cmath>
#include <cstring>
#include <utility>

#include "backend/cpu/cpu_backend.h"

namespace namesake::cpu {
namespace {

bool learns(const HeadLoss& args, std::int64_t m) {
  return args.ce_weight && args.ce_weight[m] != 0 && args.targets[m] >= 0;
}
bool compares(const HeadLoss& args, std::int64_t m) { return args.x_base && args.kl_weight && args.kl_weight[m] != 0; }

}  // namespace

/// Some groups of rows on their way through the head, with the buffers that they use.
struct CpuBackend::HeadChunk {
  std::int64_t groups = 0, compared = 0;  ///< compared: the first groups, which have rows with a KL weight
  std::int64_t pieces = 0;                ///< of the vocabulary
  const std::int32_t* rows = nullptr;     ///< [groups * 32] row of the batch, -1 = none
  const Products* products = nullptr;     ///< of the head
  std::int64_t words = 0;                 ///< of C, packed
  std::int64_t depth = 0;                 ///< that of HeadBuffers
  float* inputs = nullptr;                ///< [groups][words * 32] columns
  float* base_inputs = nullptr;           ///< [compared][words * 32]
  float* logits = nullptr;                ///< [groups][depth][32]
  float* base_logits = nullptr;           ///< [compared][depth][32]
  float* max = nullptr;                   ///< [groups + compared][pieces][32]
  float* sum = nullptr;                   ///< the same
  LogSum lse = {};                        ///< [groups + compared][32] each
  float* shift = nullptr;                 ///< [compared][32] f32 of lse - lse_base
  float* weights = nullptr;               ///< [groups][2][32]: of cross-entropy, of KL
  float* kl = nullptr;                    ///< [groups][pieces][32]
  float* dx = nullptr;                    ///< [groups * 32][C]

  double log_sum(std::int64_t i) const { return static_cast<double>(lse.high[i]) + lse.low[i]; }
  /// lse - lse_base of lane i of the compared groups.
  double excess(std::int64_t i) const { return log_sum(i) - log_sum(groups * kPanel + i); }
};

/// Logits, and the log of each lane's softmax sum.
Status CpuBackend::head_logits(const HeadLoss& args, HeadChunk& chunk) {
  const Products& products = *chunk.products;
  const std::int64_t V = args.head.rows, C = args.head.cols, words = chunk.words, width = products.panel_width;
  const std::int64_t all = chunk.groups + chunk.compared;
  NAMESAKE_TRY(for_each(all, [&](std::int64_t i, int thread) {
    const bool base = i >= chunk.groups;
    const std::int64_t group = base ? i - chunk.groups : i;
    float* gathered = thread_scratch(thread);
    for (std::int64_t lane = 0; lane < kPanel; ++lane) {
      const std::int32_t m = chunk.rows[group * kPanel + lane];
      float* row = gathered + lane * C;
      if (m < 0) {
        std::memset(row, 0, static_cast<std::size_t>(C) * sizeof(float));
      } else {
        std::memcpy(row, (base ? args.x_base : args.x) + m * C, static_cast<std::size_t>(C) * sizeof(float));
      }
    }
    products.pack_columns(view_of(gathered, kPanel, C, C), 0, kPanel, words,
                          (base ? chunk.base_inputs : chunk.inputs) + group * words * kPanel);
  }));
  NAMESAKE_TRY(for_each(chunk.pieces, [&](std::int64_t piece, int thread) {
    const std::int64_t first = piece * kVocabularyPiece, size = std::min(kVocabularyPiece, V - first);
    const RowTiles tiles(size, products.tile_rows);
    float* tile = thread_scratch(thread);
    const auto buffer = [&](std::int64_t i) {
      return i < chunk.groups ? chunk.logits + i * chunk.depth * kPanel : chunk.base_logits + (i - chunk.groups) * chunk.depth * kPanel;
    };
    for (std::int64_t t = 0; t < tiles.count; ++t) {
      const std::int64_t row = first + tiles.start(t), rows = tiles.size(t);
      products.pack_rows(view_of(args.head), row, rows, tile);
      for (std::int64_t i = 0; i < all; ++i) {
        const float* columns =
            i < chunk.groups ? chunk.inputs + i * words * kPanel : chunk.base_inputs + (i - chunk.groups) * words * kPanel;
        products.tile({rows, kPanel, words, tile, rows, columns, width, words * width, buffer(i) + row * kPanel, kPanel,
                       nullptr, nullptr, 0});
      }
    }
    for (std::int64_t i = 0; i < all; ++i) {
      const std::int64_t at = (i * chunk.pieces + piece) * kPanel;
      kernels_.logsumexp_columns(buffer(i) + first * kPanel, size, chunk.max + at, chunk.sum + at);
    }
  }));
  for (std::int64_t i = 0; i < all; ++i) {
    for (std::int64_t lane = 0; lane < kPanel; ++lane) {
      const float* max = chunk.max + i * chunk.pieces * kPanel + lane;
      const float* sum = chunk.sum + i * chunk.pieces * kPanel + lane;
      float top = max[0];
      for (std::int64_t piece = 1; piece < chunk.pieces; ++piece) top = std::max(top, max[piece * kPanel]);
      double total = 0;
      for (std::int64_t piece = 0; piece < chunk.pieces; ++piece) {
        total += sum[piece * kPanel] * std::exp(static_cast<double>(max[piece * kPanel]) - top);
      }
      const double lse = top + std::log(total);
      const std::int64_t at = i * kPanel + lane;
      chunk.lse.high[at] = static_cast<float>(lse);
      chunk.lse.low[at] = static_cast<float>(lse - chunk.lse.high[at]);
    }
  }
  for (std::int64_t i = 0; i < chunk.compared * kPanel; ++i) chunk.shift[i] = static_cast<float>(chunk.excess(i));
  return {};
}

/// Turns the logits into their gradient, sums KL, and multiplies by the head.
Status CpuBackend::head_gradient(const HeadLoss& args, HeadChunk& chunk) {
  const Products& products = *chunk.products;
  const std::int64_t V = args.head.rows, C = args.head.cols, width = products.panel_width;
  const bool write = args.dx != nullptr;
  const auto losses = [&](std::int64_t group, std::int64_t piece) {
    const std::int64_t first = piece * kVocabularyPiece, size = std::min(kVocabularyPiece, V - first);
    float* x = chunk.logits + (group * chunk.depth + first) * kPanel;
    const float* weights = chunk.weights + group * 2 * kPanel;
    const auto log_sum = [&](std::int64_t i) { return LogSum{chunk.lse.high + i * kPanel, chunk.lse.low + i * kPanel}; };
    LossArgs loss = {};
    loss.x = x;
    loss.n = size;
    loss.lse = log_sum(group);
    loss.ce_weight = weights;
    loss.kl_weight = weights + kPanel;
    loss.write = write;
    loss.kl = chunk.kl + (group * chunk.pieces + piece) * kPanel;
    if (group < chunk.compared) {
      loss.base = chunk.base_logits + (group * chunk.depth + first) * kPanel;
      loss.lse_base = log_sum(chunk.groups + group);
      loss.shift = chunk.shift + group * kPanel;
    }
    kernels_.loss_columns(loss);
    for (std::int64_t lane = 0; lane < kPanel && write; ++lane) {
      const std::int32_t m = chunk.rows[group * kPanel + lane];
      if (m < 0 || weights[lane] == 0) continue;
      const std::int64_t target = args.targets[m] - first;
      if (target >= 0 && target < size) x[target * kPanel + lane] -= weights[lane];
    }
    if (write && products.narrow_columns) products.narrow_columns(x, size);
  };
  if (!write) {
    return for_each(chunk.compared * chunk.pieces,
                    [&](std::int64_t task, int) { losses(task / chunk.pieces, task % chunk.pieces); });
  }
  // The vocabulary outermost: a piece of the logits stays in the cache while every panel of dx reads it.
  const std::int64_t panels = ceil_div(C, kPanel);
  const std::int64_t splits = panels >= 4 * pool_.threads() ? 1 : std::min(chunk.groups, ceil_div(4 * pool_.threads(), panels));
  for (std::int64_t piece = 0; piece < chunk.pieces; ++piece) {
    const std::int64_t first = piece * kVocabularyPiece, size = std::min(kVocabularyPiece, V - first);
    NAMESAKE_TRY(for_each(chunk.groups, [&](std::int64_t group, int) { losses(group, piece); }));
    NAMESAKE_TRY(for_each(panels * splits, [&](std::int64_t task, int thread) {
      const std::int64_t c = task / splits * kPanel, split = task % splits;
      float* panel = thread_scratch(thread);
      const std::int64_t depth = packed_words(products, size);
      products.pack_slice(view_of(args.head), c, first, first + size, depth, panel);
      const RowTiles tiles(kPanel, products.tile_rows);
      for (std::int64_t group = chunk.groups * split / splits; group < chunk.groups * (split + 1) / splits; ++group) {
        for (std::int64_t t = 0; t < tiles.count; ++t) {
          float* out = chunk.dx + (group * kPanel + tiles.start(t)) * C + c;
          products.tile({tiles.size(t), std::min(kPanel, C - c), depth,
                         chunk.logits + (group * chunk.depth + first) * kPanel + tiles.start(t), kPanel, panel, width, depth * width, out,
                         C, nullptr, piece > 0 ? out : nullptr, C});
        }
      }
    }));
  }
  return {};
}

/// One chunk from its rows to its losses and gradients.
Status CpuBackend::head_chunk(const HeadLoss& args, HeadChunk& chunk) {
  const std::int64_t C = args.head.cols, lanes = chunk.groups * kPanel;
  for (std::int64_t i = 0; i < lanes; ++i) {
    const std::int32_t m = chunk.rows[i];
    float* weights = chunk.weights + i / kPanel * 2 * kPanel + i % kPanel;
    weights[0] = m >= 0 && learns(args, m) ? args.ce_weight[m] : 0;
    weights[kPanel] = m >= 0 && compares(args, m) ? args.kl_weight[m] : 0;
  }
  NAMESAKE_TRY(head_logits(args, chunk));
  for (std::int64_t i = 0; i < lanes; ++i) {
    const std::int32_t m = chunk.rows[i];
    if (m < 0 || !learns(args, m)) continue;
    const float logit = chunk.logits[(i / kPanel * chunk.depth + args.targets[m]) * kPanel + i % kPanel];
    args.ce[m] = static_cast<float>(chunk.log_sum(i) - logit);
  }
  NAMESAKE_TRY(head_gradient(args, chunk));
  for (std::int64_t i = 0; i < lanes; ++i) {
    const std::int32_t m = chunk.rows[i];
    if (m < 0) continue;
    if (args.dx) std::memcpy(args.dx + m * C, chunk.dx + i * C, static_cast<std::size_t>(C) * sizeof(float));
    if (!compares(args, m)) continue;
    double kl = chunk.excess(i) - chunk.shift[i];
    for (std::int64_t piece = 0; piece < chunk.pieces; ++piece) {
      kl += chunk.kl[(i / kPanel * chunk.pieces + piece) * kPanel + i % kPanel];
    }
    args.kl[m] = static_cast<float>(kl);
  }
  return {};
}

Status CpuBackend::head_loss(const HeadLoss& args) {
  const std::int64_t M = args.M, V = args.head.rows, C = args.head.cols;
  std::int64_t compared = 0, active = 0;
  for (std::int64_t m = 0; m < M; ++m) {
    if (args.ce) args.ce[m] = 0;
    if (args.kl) args.kl[m] = 0;
    compared += compares(args, m);
    active += compares(args, m) || learns(args, m);
  }
  if (args.dx && M > 0) std::memset(args.dx, 0, static_cast<std::size_t>(M * C) * sizeof(float));
  if (active == 0) return {};

  const Products& products = products_of(args.head);
  const HeadBuffers buffers(active, compared > 0, V, C, products);
  const auto& [groups, most, copies, pieces, depth, inputs, logits, parts, gradients] = buffers;
  NAMESAKE_TRY(reserve(buffers.need(C)));
  float* free = shared_scratch();
  const auto take = [&](std::int64_t floats) { return std::exchange(free, free + floats); };
  auto* rows = reinterpret_cast<std::int32_t*>(take(groups * kPanel));
  HeadChunk chunk;
  chunk.products = &products;
  chunk.words = packed_words(products, C);
  chunk.depth = depth;
  chunk.pieces = pieces;
  chunk.inputs = take(inputs);
  chunk.logits = take(logits);
  chunk.dx = take(gradients);
  chunk.weights = take(2 * most * kPanel);
  chunk.kl = take(parts);
  chunk.lse.high = take(copies * most * kPanel);
  chunk.lse.low = take(copies * most * kPanel);
  chunk.shift = take(most * kPanel);
  chunk.max = take(copies * parts);
  chunk.sum = take(copies * parts);
  if (compared > 0) {
    chunk.base_inputs = take(inputs);
    chunk.base_logits = take(logits);
  }
  // Rows that are compared with the base come first: only their groups need its logits.
  std::fill(rows, rows + groups * kPanel, -1);
  std::int64_t next_compared = 0, next = compared;
  for (std::int64_t m = 0; m < M; ++m) {
    if (compares(args, m)) {
      rows[next_compared++] = static_cast<std::int32_t>(m);
    } else if (learns(args, m)) {
      rows[next++] = static_cast<std::int32_t>(m);
    }
  }
  for (std::int64_t first = 0; first < groups; first += most) {
    chunk.rows = rows + first * kPanel;
    chunk.groups = std::min(most, groups - first);
    chunk.compared = std::clamp<std::int64_t>(ceil_div(compared, kPanel) - first, 0, chunk.groups);
    NAMESAKE_TRY(head_chunk(args, chunk));
  }
  return {};
}

}  // namespace namesake::cpu
