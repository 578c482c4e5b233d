// See engine/memory_plan.h.
#include "engine/memory_plan.h"

#include <algorithm>
#include <string>

#include "backend/host_memory.h"
#include "engine/activations.h"
#include "engine/arena.h"
#include "engine/config.h"
#include "engine/decode_graph.h"
#include "engine/kv_cache.h"
#include "engine/linear_layers.h"
#include "engine/lora_layout.h"
#include "engine/loss.h"
#include "engine/model_source.h"
#include "engine/workload.h"

namespace namesake {

namespace {

/// Cosines and sines, [context, D / 2] each.
std::size_t rope_bytes(const Config& config) {
  return 2 * Arena::padded(static_cast<std::size_t>(config.context * (config.head_dim / 2)) * sizeof(float));
}

std::int64_t values_of(const LinearShape& shape) { return shape.out * shape.in; }

std::int64_t values_of_block(const Config& config) {
  std::int64_t values = 0;
  for (Linear linear : linears_of(config)) values += values_of(linear_shape(config, linear));
  return values;
}

std::int64_t values_of_tables(const Config& config) { return config.vocab * config.hidden * (config.tied ? 1 : 2); }

/// The part of a file of `file_bytes` that `values` of its matrices' values take, where all take the same.
std::uint64_t share_of_file(const Config& config, std::uint64_t file_bytes, std::int64_t values) {
  const double all = static_cast<double>(values_of_tables(config) + config.layers * values_of_block(config));
  return static_cast<std::uint64_t>(static_cast<double>(values) / all * static_cast<double>(file_bytes));
}

/// The same of embedding and head, which files often keep in larger blocks: eight bits a value at least.
std::uint64_t tables_bytes(const Config& config, std::uint64_t file_bytes) {
  const std::int64_t values = values_of_tables(config);
  return std::min(file_bytes, std::max(share_of_file(config, file_bytes, values), static_cast<std::uint64_t>(values)));
}

TrainingMemory training_memory(const Config& config, const Backend& backend, const LoraShape& lora, const BatchRoom& room,
                               bool recompute, int state_bits, int activation_bits) {
  const LossMemory loss = loss_memory(config, backend, lora, room, {recompute ? Keep::inputs : Keep::all, activation_bits == 16});
  const std::size_t adapter = lora_bytes(config, lora);
  return {adapter, adapter, moments_bytes(config, lora, state_bits), loss.activations, loss.scratch, recompute};
}

}  // namespace

std::optional<BlockType> converted_type(Precision precision, bool linear) {
  if (precision == Precision::f32) return BlockType::f32;
  if (precision == Precision::bf16 && linear) return BlockType::bf16;
  if (precision == Precision::nf4 && linear) return BlockType::nf4;
  return {};
}

std::size_t converted_bytes(std::int64_t rows, std::int64_t cols, BlockType to) {
  if (to == BlockType::nf4) return nf4_bytes({{rows, cols}});
  return Arena::padded(static_cast<std::size_t>(rows * row_bytes(to, cols)));
}

std::optional<BlockType> copied_type(const StoredRows& stored, const Holding& holding, bool linear) {
  const std::optional<BlockType> type = stored.type();
  std::optional<BlockType> to = converted_type(holding.precision, linear);
  if (to == BlockType::nf4 && !fits_nf4(stored.cols())) to.reset();
  if (!to) to = type.value_or(BlockType::f32);
  return holding.in_file && stored.whole() && type == to ? std::nullopt : to;
}

bool has_f32_matrix(const StoredWeights& stored, const Config& config, const Holding& holding) {
  const auto is_f32 = [&](const StoredRows& rows, bool linear) {
    return copied_type(rows, holding, linear).value_or(rows.type().value_or(BlockType::f32)) == BlockType::f32;
  };
  if (is_f32(config.tied ? stored.embedding : stored.head, false)) return true;
  for (const StoredLayer& layer : stored.layers) {
    for (Linear linear : linears_of(config)) {
      if (is_f32(layer.linears[static_cast<std::size_t>(linear)], true)) return true;
    }
  }
  return false;
}

std::optional<BlockType> copied_embedding(const StoredWeights& stored, const Config& config, const Holding& holding) {
  if (!holding.in_file && !config.tied) return {};
  return copied_type(stored.embedding, holding, false);
}

bool is_copied(const StoredTensor& vector, const Holding& holding) {
  return !holding.in_file || holding.precision != Precision::as_stored || vector.matrix.type != BlockType::f32 ||
         reinterpret_cast<std::uintptr_t>(vector.matrix.data) % alignof(float) != 0;
}

std::vector<Nf4Shape> nf4_shapes(const StoredWeights& stored, const Config& config) {
  std::vector<Nf4Shape> shapes;
  for (const StoredLayer& layer : stored.layers) {
    for (Linear linear : linears_of(config)) {
      const StoredRows& rows = layer.linears[static_cast<std::size_t>(linear)];
      if (fits_nf4(rows.cols())) shapes.push_back({rows.rows(), rows.cols()});
    }
  }
  return shapes;
}

std::size_t nf4_bytes(const std::vector<Nf4Shape>& shapes) {
  std::size_t bytes = 0;
  for (const Nf4Shape& shape : shapes) {
    bytes += Arena::padded(static_cast<std::size_t>(shape.code_bytes())) + Arena::padded(static_cast<std::size_t>(shape.blocks())) +
             Arena::padded(static_cast<std::size_t>(shape.nested()) * sizeof(float));
  }
  return bytes;
}

std::uint64_t mapped_bytes(const StoredWeights& stored, std::uint64_t file_bytes, const Config& config, const Holding& holding) {
  std::uint64_t copied = 0;
  const auto add = [&](const StoredRows& rows, bool linear) {
    if (copied_type(rows, holding, linear)) copied += rows.stored_bytes();
  };
  if (copied_embedding(stored, config, holding)) copied += stored.embedding.stored_bytes();
  if (!config.tied) add(stored.head, false);
  for (const StoredLayer& layer : stored.layers) {
    for (Linear linear : linears_of(config)) add(layer.linears[static_cast<std::size_t>(linear)], true);
  }
  return file_bytes - std::min(file_bytes, copied);
}

std::uint64_t mapped_bytes(const Config& config, std::uint64_t file_bytes, const Holding& holding) {
  if (!holding.in_file) return config.tied ? 0 : tables_bytes(config, file_bytes) / 2;
  if (!converted_type(holding.precision, true)) return file_bytes;
  if (converted_type(holding.precision, false)) return 0;
  return tables_bytes(config, file_bytes);
}

std::size_t resident_bytes(const StoredWeights& stored, const Config& config, const Holding& holding) {
  std::size_t bytes = rope_bytes(config);
  const auto add_matrix = [&](const StoredRows& rows, std::optional<BlockType> to) {
    if (to) bytes += converted_bytes(rows.rows(), rows.cols(), *to);
  };
  const auto add_vector = [&](const StoredTensor* vector) {
    if (vector && is_copied(*vector, holding)) bytes += converted_bytes(1, vector->matrix.cols, BlockType::f32);
  };
  add_matrix(stored.embedding, copied_embedding(stored, config, holding));
  if (!config.tied) add_matrix(stored.head, copied_type(stored.head, holding, false));
  add_vector(stored.output_norm);
  for (const StoredLayer& layer : stored.layers) {
    for (Linear linear : linears_of(config)) {
      const StoredRows& rows = layer.linears[static_cast<std::size_t>(linear)];
      add_matrix(rows, copied_type(rows, holding, true));
    }
    for (const StoredTensor* vector : {layer.attn_norm, layer.ffn_norm, layer.q_bias, layer.k_bias, layer.v_bias, layer.q_norm, layer.k_norm}) {
      add_vector(vector);
    }
  }
  return bytes;
}

std::size_t resident_bytes(const Config& config, std::uint64_t file_bytes, const Holding& holding) {
  const Precision precision = holding.precision;
  std::size_t layer = 0, tables = 0;
  std::int64_t stored = 0;  // values of a layer that are copied as they are stored
  for (Linear linear : linears_of(config)) {
    const LinearShape shape = linear_shape(config, linear);
    const auto to = converted_type(precision, true);
    if (to && (*to != BlockType::nf4 || fits_nf4(shape.in))) {
      layer += converted_bytes(shape.out, shape.in, *to);
    } else if (!holding.in_file || (!to && linear == Linear::qkv)) {
      stored += values_of(shape);
    }
  }
  const std::int64_t copied_tables = !config.tied && holding.in_file ? 2 : 1;
  if (const auto to = converted_type(precision, false)) {
    tables = converted_bytes(config.vocab, config.hidden, *to) * static_cast<std::size_t>(copied_tables);
  } else if (!holding.in_file) {
    tables = tables_bytes(config, file_bytes) / static_cast<std::size_t>(config.tied ? 1 : 2);
  }
  std::size_t vectors = 0;
  if (precision != Precision::as_stored || !holding.in_file) {
    const auto vector = [](std::int64_t size) { return converted_bytes(1, size, BlockType::f32); };
    const std::int64_t C = config.hidden, D = config.head_dim;
    layer += 2 * vector(C) + (config.qkv_bias ? vector(config.heads * D) + 2 * vector(config.kv_heads * D) : 0) +
             (config.qk_norm ? 2 * vector(D) : 0);
    vectors = vector(C);
  }
  return static_cast<std::size_t>(config.layers) * layer + tables + share_of_file(config, file_bytes, config.layers * stored) + vectors + rope_bytes(config);
}

BatchRoom batch_room(std::int64_t batch_tokens, std::int64_t packed_tokens) {
  return {packed_tokens == 0 ? batch_tokens : packed_tokens, batch_tokens};
}

TrainingMemory plan_training(const Config& config, const Backend& backend, const LoraShape& lora, const BatchRoom& room,
                             std::optional<bool> recompute, std::uint64_t available, int state_bits, int activation_bits) {
  const TrainingMemory kept = training_memory(config, backend, lora, room, recompute.value_or(false), state_bits, activation_bits);
  if (recompute || kept.total() <= available) return kept;
  return training_memory(config, backend, lora, room, true, state_bits, activation_bits);
}

GenerationMemory generation_memory(const Config& config, const Backend& backend, const GenerationShape& shape) {
  Workload work = workload_of(config, shape.rank);
  work.rows = work.ffn_rows = shape.rows;
  work.cached_keys = shape.capacity;
  work.logit_rows = shape.slots;
  return {Arena::padded(KvCache::bytes(config, shape.slots, shape.capacity)),
          Arena::padded(DecodeGraph::bytes(config, shape.rows, shape.slots, shape.rank)),
          Arena::padded(backend.scratch_bytes(work))};
}

Result<ModelShape> shape_of_file(const std::string& path, Precision precision, bool in_file) {
  Result<ModelSource> source = open_source(path);
  if (!source.ok()) return source.status();
  const ModelSource& model = source.value();
  const Result<StoredWeights> stored = find_weights(*model.file, model.config, model.naming);
  if (!stored.ok()) return stored.status();
  const std::uint64_t size = model.file->file_size();
  const Holding holding{precision, in_file};
  Config config = model.config;
  config.f32_matrices = has_f32_matrix(stored.value(), config, holding);
  return ModelShape{config, size, mapped_bytes(stored.value(), size, model.config, holding),
                    resident_bytes(stored.value(), model.config, holding)};
}

Result<ModelShape> shape_of_config(const Config& config, std::uint64_t file_bytes, Precision precision, bool in_file) {
  NAMESAKE_TRY(check_sizes(config));
  const Holding holding{precision, in_file};
  Config guessed = config;
  // A file of two bytes a value or fewer has no f32 matrix worth the name.
  const double values = static_cast<double>(config.layers * values_of_block(config) + values_of_tables(config));
  guessed.f32_matrices = precision == Precision::f32 || static_cast<double>(file_bytes) > 2.5 * values;
  return ModelShape{guessed, file_bytes, mapped_bytes(config, file_bytes, holding), resident_bytes(config, file_bytes, holding)};
}

Result<MemoryPlan> plan_memory(const ModelShape& model, const Backend& backend, const MemoryOptions& options) {
  const Config& config = model.config;
  const auto within = [](std::int64_t value, std::int64_t most) { return value >= 0 && value <= most; };
  if (!within(options.rank, kMaxRank) || options.layers < 0 || !within(options.batch_tokens, kMostBatchTokens) ||
      !within(options.packed_tokens, options.batch_tokens) || !within(options.slots, kMostSlots) ||
      !within(options.answer_tokens, kMostBatchTokens) || !within(options.score_tokens, kMostBatchTokens)) {
    return Status::error(Code::recipe_unsupported, "a rank, number of layers or of tokens that no plan is made for");
  }
  if (options.state_bits != 32 && options.state_bits != 8) return Status::error(Code::recipe_unsupported, "state_bits must be 32 or 8");
  if (options.activation_bits != 32 && options.activation_bits != 16) {
    return Status::error(Code::recipe_unsupported, "activation_bits must be 32 or 16");
  }
  MemoryPlan plan;
  const bool card = !backend.reads_host_memory();
  plan.available = backend.available();
  plan.weights_mapped = model.mapped;
  plan.weights_resident = model.resident;
  plan.process = options.process;

  // Checkpoints are written tensor by tensor. Probes: the adapter may be one that was read from a folder, beside the one in
  // training. A host's own copy of the logits is part of an answer.
  const LoraShape lora = lora_shape(config, options.rank, options.layers);
  const std::uint64_t adapter = lora_bytes(config, lora);
  const std::uint64_t logits = static_cast<std::uint64_t>(options.slots * config.vocab) * sizeof(float);
  std::uint64_t answering = 0, scoring = 0;
  if (options.slots > 0) {
    const GenerationShape shape{options.slots, options.answer_tokens,
                                std::max(std::min(kPromptChunk, options.slots * options.answer_tokens), options.slots), options.rank};
    answering = generation_memory(config, backend, shape).total() + adapter + (card ? 0 : logits);
  }
  if (options.score_tokens > 0) {
    scoring = loss_memory(config, backend, lora, BatchRoom::plain(options.score_tokens), {Keep::nothing}).total();
  }
  plan.between_steps = std::max(answering, scoring);

  // With a card: the pages that stay in use, the program, and the host's copies are the machine's, all else is the card's.
  if (card) {
    plan.host = plan.weights_mapped + plan.process + logits;
    plan.host_available = available_host_memory();
  }
  const std::uint64_t fixed = plan.weights_resident + (card ? 0 : plan.weights_mapped + plan.process);
  if (options.rank > 0) {
    const std::uint64_t left = plan.available - std::min(plan.available, fixed);
    plan.training = plan_training(config, backend, lora, batch_room(options.batch_tokens, options.packed_tokens),
                                  options.recompute, left, options.state_bits, options.activation_bits);
  }
  const std::uint64_t steps = plan.training.activations + plan.training.scratch;
  plan.total = fixed + plan.training.total() - steps + std::max(steps, plan.between_steps);
  plan.fits = plan.total <= plan.available && plan.host <= plan.host_available;
  return plan;
}

}  // namespace namesake
