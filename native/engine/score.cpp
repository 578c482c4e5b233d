// Losses and logits without training.
#include <algorithm>
#include <numeric>
#include <string>

#include "engine/loss.h"
#include "engine/workload.h"
#include "namesake/trainer.h"

namespace namesake {

namespace {
constexpr std::int64_t kLogitRows = 64;  // rows of the head at a time: 64 x 49,152 floats are 12.6 MB
}

Result<ScoreResult> score(Model& model, const Adapter* adapter, const Batch& batch) {
  LossGraph loss(model, adapter, {Keep::nothing});
  ScoreResult result;
  NAMESAKE_TRY(loss.reserve(BatchRoom::plain(static_cast<std::int64_t>(batch.ids.size()))));
  const ScratchScope scratch = loss.scratch();
  NAMESAKE_TRY(loss.score(batch, result));
  return result;
}

Result<std::vector<float>> logits(Model& model, const Adapter* adapter, const std::vector<std::int32_t>& ids) {
  const Config& config = model.config();
  const std::int64_t M = static_cast<std::int64_t>(ids.size()), C = config.hidden, V = config.vocab;
  if (M > config.context) {
    return Status::error(Code::context_overflow, std::to_string(M) + " tokens are more than the context of " +
                                                     std::to_string(config.context));
  }
  Batch batch;
  batch.ids = ids;
  batch.labels.assign(ids.size(), -100);
  batch.positions.resize(ids.size());
  std::iota(batch.positions.begin(), batch.positions.end(), 0);
  batch.cu_seqlens = {0, static_cast<std::int32_t>(M)};
  batch.ce_weights.assign(ids.size(), 0);
  NAMESAKE_TRY(check_batch(config, batch));

  Backend& backend = model.backend();
  const LoraShape lora = adapter ? adapter->shape() : LoraShape();
  const std::int64_t chunk_rows = std::min(M, kLogitRows);
  Workload work = workload_of(config, lora.rank);
  work.rows = work.sequence = M;
  work.ffn_rows = ffn_rows(M);
  work.logit_rows = chunk_rows;
  const std::size_t acts_bytes = Activations::bytes(config, lora, {Keep::nothing}, BatchRoom::plain(M)), scratch_bytes = backend.scratch_bytes(work),
                    chunk_bytes = static_cast<std::size_t>(chunk_rows * V) * sizeof(float);
  Arena arena(model.shared_backend());
  NAMESAKE_TRY(arena.reserve(Arena::padded(acts_bytes) + Arena::padded(scratch_bytes) + Arena::padded(chunk_bytes),
                             "logits of " + std::to_string(M) + " tokens"));
  std::byte *acts_memory = nullptr, *scratch = nullptr;
  float* chunk = nullptr;
  NAMESAKE_TRY(arena.take(acts_memory, acts_bytes, "activations"));
  NAMESAKE_TRY(arena.take(scratch, scratch_bytes, "scratch"));
  NAMESAKE_TRY(arena.take(chunk, chunk_bytes, "logits"));
  Activations acts(config, lora, {Keep::nothing});
  acts.place(acts_memory, BatchRoom::plain(M));
  const ScratchScope scope(backend, scratch, scratch_bytes);
  const Packed packed = pack(batch.ids, batch.positions, batch.cu_seqlens, {});
  NAMESAKE_TRY(Graph(model, adapter).forward(packed, true, acts));
  NAMESAKE_TRY(backend.rmsnorm_forward(acts.x_out, model.weights().output_norm, config.rms_eps, M, C, acts.h, nullptr));
  std::vector<float> out(static_cast<std::size_t>(M * V));
  for (std::int64_t first = 0; first < M; first += kLogitRows) {
    const std::int64_t count = std::min(kLogitRows, M - first);
    NAMESAKE_TRY(backend.linear_forward(model.weights().head, nullptr, nullptr, acts.h + first * C, count, nullptr,
                                        chunk, nullptr, Phase::prefill));
    NAMESAKE_TRY(backend.download(out.data() + first * V, chunk, static_cast<std::size_t>(count * V) * sizeof(float)));
  }
  return out;
}

}  // namespace namesake
