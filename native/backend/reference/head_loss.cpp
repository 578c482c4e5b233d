// Head, cross-entropy and KL(base ‖ tuned) in one op, in chunks of rows so that logits of all rows never exist at once.
#include <algorithm>
#include <cmath>

#include "backend/reference/reference_backend.h"

namespace namesake {

namespace {

/// Subtracts log Σ exp from each of n logits, so that they become log-probabilities.
void log_softmax(double* logits, std::int64_t n) {
  double most = logits[0], sum = 0;
  for (std::int64_t i = 1; i < n; ++i) most = std::max(most, logits[i]);
  for (std::int64_t i = 0; i < n; ++i) sum += std::exp(logits[i] - most);
  const double lse = most + std::log(sum);
  for (std::int64_t i = 0; i < n; ++i) logits[i] -= lse;
}

}  // namespace

Status ReferenceBackend::head_loss(const HeadLoss& args) {
  const std::int64_t V = args.head.rows, C = args.head.cols;
  const auto ce_weight = [&](std::int64_t m) { return args.ce_weight ? double(args.ce_weight[m]) : 0; };
  const auto kl_weight = [&](std::int64_t m) { return args.kl_weight && args.x_base ? double(args.kl_weight[m]) : 0; };

  std::vector<std::int64_t> rows;  // those that are not skipped
  for (std::int64_t m = 0; m < args.M; ++m) {
    if (args.ce) args.ce[m] = 0;
    if (args.kl) args.kl[m] = 0;
    if (args.dx) std::fill_n(args.dx + m * C, C, 0.0f);
    if (ce_weight(m) != 0 || kl_weight(m) != 0) rows.push_back(m);
  }

  std::vector<float> w(static_cast<std::size_t>(C));
  for (std::size_t first = 0; first < rows.size(); first += kHeadRows) {
    const std::size_t count = std::min(kHeadRows, rows.size() - first);
    std::vector<double> tuned(count * static_cast<std::size_t>(V)), base(args.x_base ? tuned.size() : 0);
    for (std::int64_t n = 0; n < V; ++n) {
      if (cancelled()) return cancelled_status();
      decode_row(args.head, n, w.data());
      for (std::size_t i = 0; i < count; ++i) {
        const std::size_t at = i * static_cast<std::size_t>(V) + static_cast<std::size_t>(n);
        tuned[at] = dot(args.x + rows[first + i] * C, w.data(), C);
        if (args.x_base) base[at] = dot(args.x_base + rows[first + i] * C, w.data(), C);
      }
    }

    for (std::size_t i = 0; i < count; ++i) {
      const std::int64_t m = rows[first + i];
      double* t = tuned.data() + i * static_cast<std::size_t>(V);
      log_softmax(t, V);
      if (ce_weight(m) != 0) args.ce[m] = float(-t[args.targets[m]]);
      if (kl_weight(m) != 0) {
        double kl = 0;
        double* b = base.data() + i * static_cast<std::size_t>(V);
        log_softmax(b, V);
        for (std::int64_t n = 0; n < V; ++n) kl += std::exp(b[n]) * (b[n] - t[n]);
        args.kl[m] = float(kl);
      }
      // From log-probabilities to the gradient of the weighted sum by the logits, in place.
      for (std::int64_t n = 0; n < V; ++n) {
        const double p = std::exp(t[n]);
        double g = ce_weight(m) * p;
        if (kl_weight(m) != 0) g += kl_weight(m) * (p - std::exp(base[i * static_cast<std::size_t>(V) + std::size_t(n)]));
        t[n] = g;
      }
      if (ce_weight(m) != 0) t[args.targets[m]] -= ce_weight(m);
    }

    if (!args.dx) continue;
    std::vector<double> sums(count * static_cast<std::size_t>(C));
    for (std::int64_t n = 0; n < V; ++n) {
      if (cancelled()) return cancelled_status();
      decode_row(args.head, n, w.data());
      for (std::size_t i = 0; i < count; ++i) {
        const double g = tuned[i * static_cast<std::size_t>(V) + static_cast<std::size_t>(n)];
        double* sum = sums.data() + i * static_cast<std::size_t>(C);
        for (std::int64_t c = 0; c < C; ++c) sum[c] += g * double(w[static_cast<std::size_t>(c)]);
      }
    }
    for (std::size_t i = 0; i < count; ++i) {
      for (std::int64_t c = 0; c < C; ++c) {
        args.dx[rows[first + i] * C + c] = float(sums[i * static_cast<std::size_t>(C) + static_cast<std::size_t>(c)]);
      }
    }
  }
  return {};
}

}  // namespace namesake
