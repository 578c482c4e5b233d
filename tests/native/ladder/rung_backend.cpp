#include "ladder/rung_backend.h"

#include <fstream>
#include <map>
#include <sstream>
#include <vector>

#include "backend/cuda/cuda_fixture.h"
#include "backend/cuda/device.h"
#include "backend/cuda/gemv.h"
#include "ladder/rungs_args.h"

namespace namesake::test {

namespace {

using cuda::AttentionBackwardRungArgs;
using cuda::AttentionForwardArgs;
using cuda::AttentionSizes;
using cuda::AttentionTile;
using cuda::ceil_div;
using cuda::GemmRungArgs;
using cuda::Kernel;
using cuda::Shape;

constexpr Kernel<GemmRungArgs> kGemm[] = {{"gemm_rungs", "gemm_naive"}, {"gemm_rungs", "gemm_tiled"}, {"gemm_rungs", "gemm_tensor"}};
constexpr Kernel<AttentionForwardArgs> kForward[] = {{"attention_forward_rungs", "attention_forward_naive"},
                                                     {"attention_forward_rungs", "attention_forward_tiled"}};
constexpr Kernel<AttentionBackwardRungArgs> kKeys[] = {{"attention_backward_rungs", "attention_backward_naive_keys"},
                                                       {"attention_backward_rungs", "attention_backward_tiled_keys"}};
constexpr Kernel<AttentionBackwardRungArgs> kQueries[] = {{"attention_backward_rungs", "attention_backward_naive_queries"},
                                                          {"attention_backward_rungs", "attention_backward_tiled_queries"}};

Status lacking() { return Status::error(Code::internal, "a rung of the ladder lacks this"); }

/// A naive rung of attention has a thread a row, a tiled one two.
std::int64_t attention_threads(Rung rung) { return rung == Rung::naive ? cuda::kAttentionRows : cuda::kAttentionThreads; }

}  // namespace

RungBackend* RungBackend::of(Rung rung) {
  auto* const product = static_cast<CudaBackend*>(cuda_backend());
  if (product == nullptr || product->family() != cuda::KernelFamily::sm_80) return nullptr;
  // Never destroyed, as the product's.
  static std::map<Rung, RungBackend*> made;
  RungBackend*& backend = made[rung];
  if (backend != nullptr) return backend;
  const auto driver = StandIn::open_driver();
  REQUIRE(driver.ok());
  const auto cards = cuda::list_cards(driver.value());
  REQUIRE(cards.ok());
  const auto chosen = cuda::choose_card(cards.value());
  REQUIRE(chosen.ok());
  auto context = cuda::Context::open(driver.value(), chosen.value());
  REQUIRE(context.ok());
  backend = new RungBackend(context.take(), cards.value().at(static_cast<std::size_t>(chosen.value())), rung);
  for (const char* module : {"gemm_rungs", "attention_forward_rungs", "attention_backward_rungs"}) {
    std::ostringstream ptx;
    ptx << std::ifstream(std::string(NAMESAKE_LADDER_PTX "/") + module + ".ptx").rdbuf();
    const Status added = backend->add_kernels(module, ptx.str());
    REQUIRE_MESSAGE(added.ok(), added.message);
  }
  return backend;
}

Status RungBackend::linear_forward(const Matrix& w, const float* bias, const LoraView* lora, const float* x, std::int64_t M,
                                   const float* residual, float* y, float*, Phase phase) {
  if (w.type != BlockType::nf4 || bias || lora || residual || phase != Phase::prefill) return lacking();
  const std::int64_t tile = rung_ == Rung::naive ? 16 : 64, threads = rung_ == Rung::tensor ? 128 : 256;
  return launch(kGemm[static_cast<std::size_t>(rung_)], Shape{{ceil_div(w.rows, tile), ceil_div(M, tile)}, {threads}}, {},
                GemmRungArgs{cuda::view_of(w), x, y, M});
}

template <class Run>
Status RungBackend::over_tiles(const std::int32_t* cu_seqlens, std::int64_t S, const AttentionShape& shape, const Run& run) {
  if (rung_ == Rung::tensor || shape.head_dim > 64) return lacking();
  std::vector<AttentionTile> tiles;
  for (std::int64_t s = 0; s < S; ++s) {
    const std::int32_t begin = cu_seqlens[s], length = cu_seqlens[s + 1] - begin;
    for (std::int32_t first = 0; first < length; first += cuda::kAttentionRows) tiles.push_back({begin, length, first});
  }
  const std::size_t bytes = tiles.size() * sizeof(AttentionTile);
  const auto memory = allocate(bytes);
  if (!memory.ok()) return memory.status();
  AttentionSizes sizes{static_cast<const AttentionTile*>(memory.value()), std::int32_t(shape.heads), std::int32_t(shape.kv_heads),
                       std::int32_t(shape.head_dim), 0, shape.causal, 0, shape.scale};
  Status status = upload(memory.value(), tiles.data(), bytes);
  if (status.ok()) status = run(sizes, static_cast<std::int64_t>(tiles.size()));
  release(memory.value());
  return status;
}

Status RungBackend::attention_forward(const float* q, const float* k, const float* v, const std::int32_t* cu_seqlens, std::int64_t S,
                                      const AttentionShape& shape, float* o, float* lse) {
  return over_tiles(cu_seqlens, S, shape, [&](const AttentionSizes& sizes, std::int64_t tiles) {
    return launch(kForward[static_cast<std::size_t>(rung_)], Shape{{tiles, shape.heads}, {attention_threads(rung_)}}, {},
                  AttentionForwardArgs{sizes, q, k, v, o, lse});
  });
}

Status RungBackend::attention_backward(const float* do_, const float* q, const float* k, const float* v, const float* o, const float* lse,
                                       const std::int32_t* cu_seqlens, std::int64_t S, const AttentionShape& shape, float* dq, float* dk,
                                       float* dv) {
  return over_tiles(cu_seqlens, S, shape, [&](const AttentionSizes& sizes, std::int64_t tiles) {
    const AttentionBackwardRungArgs args{sizes, do_, q, k, v, o, lse, dq, dk, dv};
    const auto rung = static_cast<std::size_t>(rung_);
    NAMESAKE_TRY(launch(kKeys[rung], Shape{{tiles, shape.kv_heads}, {attention_threads(rung_)}}, {}, args));
    return launch(kQueries[rung], Shape{{tiles, shape.heads}, {attention_threads(rung_)}}, {}, args);
  });
}

}  // namespace namesake::test
