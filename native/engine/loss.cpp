// Order of one batch: base pass over the sequences that have KL (if any), tuned pass, head and losses over the labelled rows
// alone, then the backward pass. The base pass uses the same activations first, so that it costs no memory of its own. Below the adapter's
// lowest layer the two are one pass.
#include "engine/loss.h"

#include <cmath>
#include <numeric>
#include <string>
#include <utility>

#include "engine/row_copies.h"
#include "engine/stopwatch.h"
#include "engine/workload.h"

namespace namesake {

namespace {

Status invalid(const std::string& what) { return Status::error(Code::rows_invalid, what); }

std::size_t float_bytes(std::int64_t count) { return static_cast<std::size_t>(count) * sizeof(float); }

}  // namespace

Status check_batch(const Config& config, const Batch& batch) {
  const std::size_t M = batch.ids.size();
  if (M == 0) return invalid("a batch has no tokens");
  if (M > 1u << 24) return invalid("a batch has more than 16777216 tokens");
  if (batch.labels.size() != M || batch.positions.size() != M || batch.ce_weights.size() != M ||
      (!batch.kl_weights.empty() && batch.kl_weights.size() != M)) {
    return invalid("labels, positions and weights must be as many as the " + std::to_string(M) + " ids");
  }
  if (batch.cu_seqlens.size() < 2 || batch.cu_seqlens.front() != 0 ||
      batch.cu_seqlens.back() != static_cast<std::int32_t>(M)) {
    return invalid("cu_seqlens must run from 0 to " + std::to_string(M));
  }
  for (std::size_t s = 1; s < batch.cu_seqlens.size(); ++s) {
    if (batch.cu_seqlens[s] < batch.cu_seqlens[s - 1]) return invalid("cu_seqlens goes down at " + std::to_string(s));
  }
  for (std::size_t i = 0; i < M; ++i) {
    const std::int32_t id = batch.ids[i], label = batch.labels[i], position = batch.positions[i];
    const std::string at = " at token " + std::to_string(i);
    if (id < 0 || id >= config.vocab) return invalid("id " + std::to_string(id) + at + " is outside the vocabulary");
    if (label != -100 && (label < 0 || label >= config.vocab)) {
      return invalid("label " + std::to_string(label) + at + " is outside the vocabulary");
    }
    if (position < 0 || position >= config.context) {
      return invalid("position " + std::to_string(position) + at + " is outside the context of " +
                     std::to_string(config.context));
    }
    if (!std::isfinite(batch.ce_weights[i]) || (!batch.kl_weights.empty() && !std::isfinite(batch.kl_weights[i]))) {
      return invalid("a weight" + at + " is not finite");
    }
  }
  return {};
}

LossRows loss_rows(const Batch& batch) {
  LossRows rows;
  for (std::size_t s = 0; s + 1 < batch.cu_seqlens.size(); ++s) {
    for (std::int32_t i = batch.cu_seqlens[s]; i + 1 < batch.cu_seqlens[s + 1]; ++i) {
      const std::size_t next = static_cast<std::size_t>(i) + 1;
      const std::int32_t target = batch.labels[next];
      const float ce = target == -100 ? 0 : batch.ce_weights[next];
      const float kl = batch.kl_weights.empty() ? 0 : batch.kl_weights[next];
      if (ce == 0 && kl == 0) continue;
      rows.row.push_back(i);
      rows.target.push_back(target);
      rows.ce_weight.push_back(ce);
      rows.kl_weight.push_back(kl);
    }
  }
  return rows;
}

LossMemory loss_memory(const Config& config, const Backend& backend, const LoraShape& lora, const BatchRoom& room, Keeping keeping) {
  Workload work = workload_of(config, lora.rank);
  // Attention sees the rows written out; none of those that the loss looks at lies in a shared prefix.
  work.rows = work.sequence = room.expanded;
  work.ffn_rows = ffn_rows(room.tokens);
  work.loss_rows = room.tokens;
  work.compares = true;
  work.backward = keeping.what != Keep::nothing;
  return {Arena::padded(Activations::bytes(config, lora, keeping, room)), Arena::padded(backend.scratch_bytes(work))};
}

LossGraph::LossGraph(const Model& model, const Adapter* adapter, Keeping keeping)
    : model_(model), adapter_(adapter), graph_(model, adapter), acts_(model.config(), adapter ? adapter->shape() : LoraShape(), keeping) {}

Status LossGraph::reserve(const BatchRoom& room, std::shared_ptr<Arena> arena) {
  const LoraShape lora = adapter_ ? adapter_->shape() : LoraShape();
  memory_ = loss_memory(model_.config(), model_.backend(), lora, room, acts_.keeping());
  room_ = room;
  if (!arena || has_own_arena(model_.backend())) {
    arena_ = std::make_shared<Arena>(model_.shared_backend());
    return take_own();
  }
  arena_ = std::move(arena);
  return place();
}

Status LossGraph::take_own() {
  NAMESAKE_TRY(arena_->reserve(memory_.total(), "a batch of " + std::to_string(room_.expanded) + " tokens"));
  return place();
}

Status LossGraph::place() {
  NAMESAKE_TRY(arena_->take(activations_, memory_.activations, "activations"));
  NAMESAKE_TRY(arena_->take(scratch_, memory_.scratch, "scratch"));
  acts_.place(activations_, room_);
  return {};
}

Status LossGraph::hold() { return arena_->capacity() == 0 ? take_own() : Status{}; }

void LossGraph::release() {
  if (!arena_) return;
  if (has_own_arena(arena_->backend())) return arena_->release();
  arena_->backend().discard(activations_, memory_.activations);
  arena_->backend().discard(scratch_, memory_.scratch);
}

Status LossGraph::check_room(const Packed& packed) const {
  const BatchRoom& room = acts_.room();
  if (packed.tokens() <= room.tokens && packed.expanded() <= room.expanded) return {};
  return Status::error(Code::internal, "a batch has " + std::to_string(packed.expanded()) + " tokens, of which " +
                                           std::to_string(packed.tokens()) + " are computed; memory was planned for " +
                                           std::to_string(room.expanded) + " and " + std::to_string(room.tokens));
}

LossGraph::Pass LossGraph::tuned_pass(const Batch& batch, const LossRows& rows) {
  return {pack(batch.ids, batch.positions, batch.cu_seqlens, rows.row), {}, {}, {}};
}

/// Only sequences that hold a row with KL: a sequence's result does not depend on its neighbours.
LossGraph::Pass LossGraph::base_pass(const Batch& batch, const LossRows& rows) {
  Pass pass;
  std::vector<std::int32_t> ids, positions, cu_seqlens{0}, wanted;
  std::size_t p = 0;
  for (std::size_t s = 0; s + 1 < batch.cu_seqlens.size(); ++s) {
    const std::int32_t begin = batch.cu_seqlens[s], end = batch.cu_seqlens[s + 1];
    const std::int32_t offset = static_cast<std::int32_t>(ids.size()) - begin;
    bool any = false;
    for (; p < rows.row.size() && rows.row[p] < end; ++p) {
      if (rows.kl_weight[p] == 0) continue;
      any = true;
      wanted.push_back(rows.row[p] + offset);
      pass.slots.push_back(static_cast<std::int32_t>(p));
    }
    if (!any) continue;
    pass.sequences.push_back(static_cast<std::int32_t>(s));
    ids.insert(ids.end(), batch.ids.begin() + begin, batch.ids.begin() + end);
    positions.insert(positions.end(), batch.positions.begin() + begin, batch.positions.begin() + end);
    cu_seqlens.push_back(static_cast<std::int32_t>(ids.size()));
  }
  pass.packed = pack(ids, positions, cu_seqlens, std::move(wanted));
  return pass;
}

/// Below the adapter's lowest layer the passes with and without it are one: that of all sequences of the batch, of which `part` (nullptr:
/// there is none) has some. Nothing where that is the model's lowest layer.
Status LossGraph::share_trunk(Pass& whole, Pass* part) {
  if (!acts_.trunk) return {};
  const std::int64_t M = whole.packed.tokens();
  NAMESAKE_TRY(graph_.trunk(whole.packed, acts_));
  NAMESAKE_TRY(model_.backend().copy(acts_.trunk, acts_.layer(graph_.first_layer()).x_in, float_bytes(M * model_.config().hidden)));
  whole.trunk_rows.resize(static_cast<std::size_t>(M));
  std::iota(whole.trunk_rows.begin(), whole.trunk_rows.end(), 0);
  if (part) part->trunk_rows = rows_in(whole.packed, part->sequences, part->packed);
  return {};
}

/// rows_norm [P, C] = final-norm hidden states at the rows that are wanted; acts_.x_out and rows_rstd keep what its backward needs.
Status LossGraph::hidden(const Pass& pass, bool adapter_on, float* rows_norm) {
  const Config& config = model_.config();
  if (pass.trunk_rows.empty()) {
    NAMESAKE_TRY(graph_.trunk(pass.packed, acts_));
  } else {
    float* x_in = acts_.layer(graph_.first_layer()).x_in;
    NAMESAKE_TRY(gather_rows(model_.backend(), pass.trunk_rows, acts_.trunk, config.hidden, x_in));
  }
  NAMESAKE_TRY(graph_.branch(pass.packed, adapter_on, acts_));
  return model_.backend().rmsnorm_forward(acts_.x_out, model_.weights().output_norm, config.rms_eps, pass.packed.outputs(), config.hidden,
                                          rows_norm, acts_.rows_rstd);
}

/// acts_.rows_base [P, C]: the base model's hidden states at the rows with KL, zero at the others.
Status LossGraph::base_hidden(const Pass& pass, const LossRows& rows) {
  const std::int64_t C = model_.config().hidden;
  Backend& backend = model_.backend();
  // rows_norm is free until the tuned pass: it holds the dense result while its rows go to their slots.
  NAMESAKE_TRY(hidden(pass, false, acts_.rows_norm));
  NAMESAKE_TRY(backend.zero(acts_.rows_base, float_bytes(rows.size() * C)));
  return scatter_rows(backend, pass.slots, acts_.rows_norm, C, acts_.rows_base);
}

Status LossGraph::upload_rows(const LossRows& rows) {
  Backend& backend = model_.backend();
  const std::size_t bytes = float_bytes(rows.size());
  NAMESAKE_TRY(backend.upload(acts_.targets, rows.target.data(), bytes));
  NAMESAKE_TRY(backend.upload(acts_.ce_weight, rows.ce_weight.data(), bytes));
  return backend.upload(acts_.kl_weight, rows.kl_weight.data(), bytes);
}

Status LossGraph::head(const LossRows& rows, const float* x, const float* x_base, float* dx) {
  HeadLoss args;
  args.head = model_.weights().head;
  args.x = x;
  args.x_base = x_base;
  args.targets = acts_.targets;
  args.ce_weight = acts_.ce_weight;
  args.kl_weight = acts_.kl_weight;
  args.ce = acts_.ce;
  args.kl = acts_.kl;
  args.dx = dx;
  args.M = rows.size();
  return model_.backend().head_loss(args);
}

Status LossGraph::download_losses(std::int64_t count, const float* from, std::vector<float>& to) {
  to.resize(static_cast<std::size_t>(count));
  return model_.backend().download(to.data(), from, float_bytes(count));
}

Status LossGraph::run(const Batch& batch, LossSums& sums) {
  Stopwatch watch;
  NAMESAKE_TRY(check_batch(model_.config(), batch));
  const LossRows rows = loss_rows(batch);
  if (rows.size() == 0) return {};
  // The base pass has some of the sequences, which share at least as much: it needs no more room.
  Pass tuned = tuned_pass(batch, rows), base = base_pass(batch, rows);
  NAMESAKE_TRY(check_room(tuned.packed));
  const bool any_kl = !base.slots.empty();

  const bool train = acts_.keeping().what != Keep::nothing;
  Backend& backend = model_.backend();
  const std::int64_t C = model_.config().hidden, P = rows.size();
  NAMESAKE_TRY(upload_rows(rows));
  if (any_kl) {
    NAMESAKE_TRY(share_trunk(tuned, &base));
    NAMESAKE_TRY(base_hidden(base, rows));
  }
  NAMESAKE_TRY(hidden(tuned, true, acts_.rows_norm));
  NAMESAKE_TRY(head(rows, acts_.rows_norm, any_kl ? acts_.rows_base : nullptr, train ? acts_.drows_norm : nullptr));

  std::vector<float> ce, kl(static_cast<std::size_t>(P));
  NAMESAKE_TRY(download_losses(P, acts_.ce, ce));
  if (any_kl) NAMESAKE_TRY(download_losses(P, acts_.kl, kl));
  sums.forward_seconds += watch.lap();
  for (std::size_t p = 0; p < ce.size(); ++p) {
    sums.ce += static_cast<double>(rows.ce_weight[p]) * ce[p];
    sums.kl += static_cast<double>(rows.kl_weight[p]) * kl[p];
  }
  if (!std::isfinite(sums.ce) || !std::isfinite(sums.kl)) {
    return Status::error(Code::training_diverged, "the loss is not finite");
  }
  if (!train) return {};

  // Not into acts_.dx at once: x_out lies there.
  NAMESAKE_TRY(backend.zero(acts_.drows, float_bytes(P * C)));
  NAMESAKE_TRY(backend.rmsnorm_backward(acts_.drows_norm, acts_.x_out, model_.weights().output_norm, acts_.rows_rstd, P, C,
                                        acts_.drows));
  NAMESAKE_TRY(backend.copy(acts_.dx, acts_.drows, float_bytes(P * C)));
  NAMESAKE_TRY(graph_.backward(tuned.packed, acts_));
  NAMESAKE_TRY(backend.finish());
  sums.backward_seconds += watch.lap();
  return {};
}

Status LossGraph::score(const Batch& batch, ScoreResult& result) {
  NAMESAKE_TRY(check_batch(model_.config(), batch));
  Batch plain = batch;
  plain.kl_weights.assign(batch.ids.size(), 0);
  for (std::size_t i = 0; i < batch.labels.size(); ++i) {
    plain.ce_weights[i] = plain.kl_weights[i] = batch.labels[i] == -100 ? 0.0f : 1.0f;
  }
  const LossRows rows = loss_rows(plain);
  result = {};
  result.labels = rows.size();
  if (rows.size() == 0) return {};

  // Every row is wanted adapter on and off: one pass describes both.
  Pass pass = base_pass(plain, rows);
  NAMESAKE_TRY(check_room(pass.packed));
  NAMESAKE_TRY(upload_rows(rows));
  NAMESAKE_TRY(share_trunk(pass, nullptr));
  NAMESAKE_TRY(base_hidden(pass, rows));
  NAMESAKE_TRY(head(rows, acts_.rows_base, nullptr, nullptr));
  std::vector<float> values;
  NAMESAKE_TRY(download_losses(rows.size(), acts_.ce, values));
  for (float value : values) result.ce_base += value;
  result.ce_tuned = result.ce_base;
  if (!adapter_) return {};

  NAMESAKE_TRY(hidden(pass, true, acts_.rows_norm));
  NAMESAKE_TRY(head(rows, acts_.rows_norm, acts_.rows_base, nullptr));
  NAMESAKE_TRY(download_losses(rows.size(), acts_.ce, values));
  result.ce_tuned = 0;
  for (float value : values) result.ce_tuned += value;
  NAMESAKE_TRY(download_losses(rows.size(), acts_.kl, values));
  for (float value : values) result.kl += value;
  return {};
}

}  // namespace namesake
