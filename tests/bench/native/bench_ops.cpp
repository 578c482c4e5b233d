// namesake_bench [isa | products [threads [rounds]]]: speed of the cpu backend's ops on SmolLM2-135M's shapes, as GFLOP/s and as a
// share of the peak of multiply-adds (avx512bf16 and amxbf16: of bf16 ones, in attention and decoding too) measured on this machine in the same
// run. Each time is the best of `rounds`, so that a busy machine shows in the spread and not in the figure. `products`: of every
// instruction set that the CPU has, forward and dX of all linear layers alone.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "backend/ops.h"
#include "namesake/peak.h"

namespace {

using namespace namesake;

constexpr std::int64_t kHidden = 576, kFfn = 1536, kKv = 192, kVocab = 49152, kHeads = 9, kKvHeads = 3, kHeadDim = 64;
constexpr std::int64_t kLayers = 30, kRank = 16, kRows = 512;

int rounds = 20;

double seconds_of(const std::function<void()>& run) {
  const auto start = std::chrono::steady_clock::now();
  run();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double best_of(const std::function<void()>& run) {
  double best = 1e30;
  for (int i = 0; i < rounds; ++i) best = std::min(best, seconds_of(run));
  return best;
}

void must(const Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s: %s\n", code_name(status.code), status.message.c_str());
  std::exit(1);
}

/// FLOP/s of all threads in the products that a backend makes of a quantised matrix.
double peak_of(const Backend& backend) {
  PeakQuestion question;
  question.isas = {backend.isa()};
  question.threads = backend.threads();
  const auto report = measure_peak(question, nullptr);
  must(report.status());
  return report.value().isas[0].flops.all;
}

// --- ops ---

struct Bench {
  Backend& backend;
  double peak;  // FLOP/s of all threads
  std::vector<std::vector<std::byte>> weights = {};
  std::vector<float*> buffers = {};

  float* floats(std::int64_t n, float value) {
    auto memory = backend.allocate(static_cast<std::size_t>(n) * sizeof(float));
    must(memory.status());
    auto* data = static_cast<float*>(memory.value());
    for (std::int64_t i = 0; i < n; ++i) data[i] = value * (static_cast<float>((i * 7919) % 64) / 32.0f - 1.0f);
    buffers.push_back(data);
    return data;
  }
  void release() {
    for (float* buffer : buffers) backend.release(buffer);
    buffers.clear();
  }
  Matrix matrix(BlockType type, std::int64_t rows, std::int64_t cols) {
    const BlockFormat& format = block_format(type);
    auto& bytes = weights.emplace_back(static_cast<std::size_t>(rows * row_bytes(type, cols)));
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      // f16 scales of about 1/64 in front of every block (q6_k: behind it), pseudo-random values elsewhere.
      const std::size_t at = i % static_cast<std::size_t>(format.bytes_per_block);
      const bool scale = type == BlockType::q6_k ? at == 209 : at == 1 || at == 3;
      bytes[i] = scale ? std::byte{0x24} : static_cast<std::byte>(i * 2654435761u >> 13);
    }
    return {type, rows, cols, bytes.data()};
  }
  double report(const char* what, double flops, const std::function<void()>& run) {
    const double time = best_of(run);
    if (flops > 0) {
      std::printf("%-44s %9.3f ms %8.1f GFLOP/s %5.1f %%\n", what, time * 1e3, flops / time / 1e9, 100 * flops / time / peak);
    } else {
      std::printf("%-44s %9.3f ms\n", what, time * 1e3);
    }
    return time;
  }
};

struct Layer {
  const char* name;
  BlockType type;
  std::int64_t N, K;
  int count;  // per block
};
constexpr Layer kBlock[] = {{"q, o", BlockType::q4_1, kHidden, kHidden, 2}, {"k, v", BlockType::q4_1, kKv, kHidden, 2},
                            {"gate, up", BlockType::q4_1, kFfn, kHidden, 2}, {"down", BlockType::q4_1, kHidden, kFfn, 1}};

/// Seconds of all linear layers of the model for M rows.
double linears(Bench& b, std::int64_t M, bool backward, Phase phase, bool with_lora) {
  double total = 0;
  for (const Layer& layer : kBlock) {
    const Matrix w = b.matrix(layer.type, layer.N, layer.K);
    float* x = b.floats(M * layer.K, 1);
    float* y = b.floats(M * layer.N, 1);
    float* dx = b.floats(M * layer.K, 1);
    float* xa = b.floats(M * kRank, 1);
    LoraView lora{b.floats(kRank * layer.K, 0.1f), b.floats(layer.N * kRank, 0.1f), kRank, 2, nullptr};
    float* da = b.floats(kRank * layer.K, 0);
    float* db = b.floats(layer.N * kRank, 0);
    const double low_rank = with_lora ? 2.0 * M * kRank * (layer.N + layer.K) : 0;
    const std::string what = std::string(backward ? "backward " : phase == Phase::decode ? "decode " : "forward ") + layer.name +
                             " M=" + std::to_string(M) + (with_lora ? " lora" : "");
    const double time = b.report(
        what.c_str(), 2.0 * M * layer.N * layer.K + (backward ? 2 : 1) * low_rank, [&] {
          if (backward) {
            must(b.backend.linear_backward(w, with_lora ? &lora : nullptr, x, with_lora ? xa : nullptr, y, M, false, dx,
                                           with_lora ? da : nullptr, with_lora ? db : nullptr));
          } else {
            must(b.backend.linear_forward(w, nullptr, with_lora ? &lora : nullptr, x, M, nullptr, y, with_lora ? xa : nullptr,
                                          phase));
          }
        });
    total += kLayers * layer.count * time;
  }
  return total;
}

/// What a format costs beside q4_1 on one shape: packing (a product of one row in the form for many), decoding (a product of one
/// row in the form for few).
void formats(Bench& b) {
  constexpr std::int64_t N = 1536, K = 768;
  std::printf("\nformats, a matrix of %d x %d: packing and decoding, and their ratios to q4_1's\n", static_cast<int>(N), static_cast<int>(K));
  float *x = b.floats(K, 1), *y = b.floats(N, 1);
  double first[2] = {};
  using enum BlockType;
  for (const BlockType type : {q4_1, q4_0, q5_0, q5_1, q8_0, q4_k, q5_k, q6_k, f16, bf16, f32}) {
    const Matrix w = b.matrix(type, N, K);
    double time[2];
    for (int i = 0; i < 2; ++i) {
      const Phase phase = i == 0 ? Phase::prefill : Phase::decode;
      time[i] = best_of([&] { must(b.backend.linear_forward(w, nullptr, nullptr, x, 1, nullptr, y, nullptr, phase)); });
      if (type == q4_1) first[i] = time[i];
    }
    std::printf("%-8s packing %7.3f ms %5.2f    decoding %7.3f ms %5.2f\n", block_format(type).name, time[0] * 1e3, time[0] / first[0],
                time[1] * 1e3, time[1] / first[1]);
  }
}

/// Forward and dX of all linear layers of the model without LoRA, decoding of the weights included: the products alone, as one
/// share of the peak. Each layer counts by its multiply-adds.
void products(Bench& b) {
  for (const std::int64_t M : {512, 4096}) {
    double flops = 0, total = 0;
    for (const Layer& layer : kBlock) {
      const Matrix w = b.matrix(layer.type, layer.N, layer.K);
      float *x = b.floats(M * layer.K, 1), *y = b.floats(M * layer.N, 1);
      const double time = best_of([&] { must(b.backend.linear_forward(w, nullptr, nullptr, x, M, nullptr, y, nullptr, Phase::prefill)); }) +
                          best_of([&] { must(b.backend.linear_backward(w, nullptr, x, nullptr, y, M, false, x, nullptr, nullptr)); });
      total += layer.count * time;
      flops += layer.count * 4.0 * static_cast<double>(M * layer.N * layer.K);
    }
    std::printf("%-11s products alone, M=%-5d %8.1f GFLOP/s %5.1f %% of %.1f\n", b.backend.isa().c_str(), static_cast<int>(M), flops / total / 1e9,
                100 * flops / total / b.peak, b.peak / 1e9);
    b.release();
  }
}

double training(Bench& b) {
  std::printf("\ntraining, %d rows\n", static_cast<int>(kRows));
  const std::int64_t M = kRows, C = kHidden;
  double total = linears(b, M, false, Phase::prefill, true) + linears(b, M, true, Phase::prefill, true);
  linears(b, M, false, Phase::prefill, false);
  linears(b, M, true, Phase::prefill, false);

  float* q = b.floats(M * C, 0.5f);
  float* k = b.floats(M * kKv, 0.5f);
  float* v = b.floats(M * kKv, 1);
  float* o = b.floats(M * C, 1);
  float* lse = b.floats(M * kHeads, 0);
  float* d_out = b.floats(M * C, 1);
  float *dq = b.floats(M * C, 0), *dk = b.floats(M * kKv, 0), *dv = b.floats(M * kKv, 0);
  const AttentionShape shape{kHeads, kKvHeads, kHeadDim, true, 0.125f};
  for (int S : {1, 6}) {
    std::vector<std::int32_t> cu;
    for (int s = 0; s <= S; ++s) cu.push_back(static_cast<std::int32_t>(M * s / S));
    const double flops = 4.0 * kHeads * kHeadDim * static_cast<double>(M) * static_cast<double>(M) / S / 2;
    const std::string name = "attention, " + std::to_string(S) + " sequences";
    const double forward = b.report(name.c_str(), flops, [&] { must(b.backend.attention_forward(q, k, v, cu.data(), S, shape, o, lse)); });
    const double backward = b.report((name + ", backward").c_str(), 2.5 * flops, [&] {
      must(b.backend.attention_backward(d_out, q, k, v, o, lse, cu.data(), S, shape, dq, dk, dv));
    });
    if (S == 6) total += kLayers * (forward + backward);
  }

  float* weight = b.floats(C, 1);
  float* rstd = b.floats(M, 1);
  total += kLayers * 2 * b.report("rmsnorm", 0, [&] { must(b.backend.rmsnorm_forward(q, weight, 1e-5f, M, C, o, rstd)); });
  total += kLayers * 2 * b.report("rmsnorm backward", 0, [&] { must(b.backend.rmsnorm_backward(d_out, q, weight, rstd, M, C, dq)); });
  float *gate = b.floats(M * kFfn, 4), *up = b.floats(M * kFfn, 1), *act = b.floats(M * kFfn, 1);
  total += kLayers * b.report("swiglu", 0, [&] { must(b.backend.swiglu_forward(gate, up, M * kFfn, act)); });
  float *dgate = b.floats(M * kFfn, 0), *dup = b.floats(M * kFfn, 0);
  total += kLayers * b.report("swiglu backward", 0, [&] { must(b.backend.swiglu_backward(act, gate, up, M * kFfn, dgate, dup)); });
  RopeTable rope{b.floats(M * kHeadDim / 2, 1), b.floats(M * kHeadDim / 2, 1), M, true};
  std::vector<std::int32_t> positions;
  for (std::int64_t m = 0; m < M; ++m) positions.push_back(static_cast<std::int32_t>(m));
  total += kLayers * 2 * 4.0 / 3 * b.report("rope", 0, [&] { must(b.backend.rope_forward(q, positions.data(), rope, M, kHeads, kHeadDim)); });

  const std::int64_t labelled = 160;
  HeadLoss head;
  head.head = b.matrix(BlockType::q8_0, kVocab, C);
  head.M = labelled;
  head.x = d_out;
  std::vector<std::int32_t> targets(labelled, 11);
  head.targets = targets.data();
  std::vector<float> ce_weight(labelled, 1.0f / labelled), ce(labelled), kl_weight(labelled, 0.0f), kl(labelled);
  head.ce_weight = ce_weight.data();
  head.kl_weight = kl_weight.data();
  head.ce = ce.data();
  head.kl = kl.data();
  head.dx = dq;
  total += b.report("head and loss, 160 labelled rows", 4.0 * kVocab * C * labelled, [&] { must(b.backend.head_loss(head)); });
  kl_weight.assign(labelled, 1.0f / labelled);
  head.x_base = q;
  b.report("the same with KL", 6.0 * kVocab * C * labelled, [&] { must(b.backend.head_loss(head)); });

  const std::int64_t n = 4884480;  // LoRA factors of rank 16 on every linear layer
  float *value = b.floats(n, 1), *grad = b.floats(n, 1), *m1 = b.floats(n, 0), *m2 = b.floats(n, 0);
  double sum = 0;
  total += b.report("gradient norm", 0, [&] { must(b.backend.sum_of_squares(grad, n, &sum)); });
  AdamW options;
  options.lr = 1e-3f;
  total += b.report("adamw", 0, [&] { must(b.backend.adamw(options, n, grad, value, m1, m2)); });
  std::printf("one step of %d tokens: %.0f ms, %.0f tokens/s\n", static_cast<int>(M), total * 1e3, static_cast<double>(M) / total);
  return total;
}

void decoding(Bench& b, std::int64_t M) {
  std::printf("\ndecoding, %d sequences side by side\n", static_cast<int>(M));
  double total = linears(b, M, false, Phase::decode, true);
  linears(b, M, false, Phase::decode, false);
  const Matrix head = b.matrix(BlockType::q8_0, kVocab, kHidden);
  float* x = b.floats(M * kHidden, 1);
  float* logits = b.floats(M * kVocab, 1);
  total += b.report("decode head", 2.0 * M * kVocab * kHidden, [&] {
    must(b.backend.linear_forward(head, nullptr, nullptr, x, M, nullptr, logits, nullptr, Phase::decode));
  });
  const std::int64_t context = 256;
  const KvView cache{b.floats(M * context * kKv, 0.5f), b.floats(M * context * kKv, 1), context};
  std::vector<std::int32_t> slots, positions;
  for (std::int64_t m = 0; m < M; ++m) {
    slots.push_back(static_cast<std::int32_t>(m));
    positions.push_back(static_cast<std::int32_t>(context - 1));
  }
  const AttentionShape shape{kHeads, kKvHeads, kHeadDim, true, 0.125f};
  total += kLayers * b.report("attention over 256 cached positions", 4.0 * M * kHeads * kHeadDim * context, [&] {
    must(b.backend.attention_cached(x, slots.data(), positions.data(), M, shape, cache, logits));
  });
  std::printf("one token of %d sequences: %.2f ms, %.0f tokens/s\n", static_cast<int>(M), total * 1e3, static_cast<double>(M) / total);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string isa = argc > 1 ? argv[1] : "auto";
  const int threads = argc > 2 ? std::atoi(argv[2]) : 0;
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  if (argc > 3) rounds = std::max(1, std::atoi(argv[3]));
  if (isa == "products") {
    for (const char* each : {"amxbf16", "avx512bf16", "avx512", "avx2", "neon", "scalar"}) {
      auto made = make_cpu_backend(each, threads);
      if (!made.ok()) {
        std::printf("%-11s %s\n", each, made.status().message.c_str());
        continue;
      }
      Bench bench{*made.value(), peak_of(*made.value())};
      products(bench);
    }
    return 0;
  }
  auto made = make_cpu_backend(isa, threads);
  must(made.status());
  Backend& backend = *made.value();
  Bench bench{backend, peak_of(backend)};
  std::printf("%s, %d threads; multiply-add peak %.1f GFLOP/s of all\n", backend.isa().c_str(), backend.threads(), bench.peak / 1e9);
  products(bench);
  formats(bench);
  training(bench);
  for (std::int64_t M : {1, 2, 4, 16, 32}) decoding(bench, M);
  bench.release();
  return 0;
}
