// Memory plan: what everything takes, from shapes alone. What allocates and what prints a budget both ask here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "engine/activations.h"
#include "engine/stored_weights.h"
#include "formats/nf4.h"
#include "namesake/memory.h"

namespace namesake {

// --- weights ---

/// The format that a precision converts a matrix to; empty = as stored. Linear layers, or embedding and head.
std::optional<BlockType> converted_type(Precision precision, bool linear);
/// Bytes of a matrix in such a format, as an arena counts them; of nf4 with its scales.
std::size_t converted_bytes(std::int64_t rows, std::int64_t cols, BlockType to);
/// How a model is held: its precision, and whether what the file has as it is computed with may stay there
/// (Backend::reads_host_memory).
struct Holding {
  Precision precision = Precision::as_stored;
  bool in_file = true;
};
/// The format of the copy that is made of a matrix in the backend's memory; empty where it stays in the file. Rows that are stored
/// in different formats but computed as one matrix are copied as f32.
std::optional<BlockType> copied_type(const StoredRows& stored, const Holding& holding, bool linear);
/// The same of the embedding. One that is not the head too is only read row by row, and stays out of a card's memory.
std::optional<BlockType> copied_embedding(const StoredWeights& stored, const Config& config, const Holding& holding);
/// Config::f32_matrices of a file's weights, as they are held.
bool has_f32_matrix(const StoredWeights& stored, const Config& config, const Holding& holding);
/// Whether a vector is copied: where the file does not have it as f32 at an address that f32 may have, and where matrices are
/// copied, whose pages lie around it and would come back with its own.
bool is_copied(const StoredTensor& vector, const Holding& holding);
/// The matrices that become nf4, in the order of layers and of linears_of(config), and their bytes.
std::vector<Nf4Shape> nf4_shapes(const StoredWeights& stored, const Config& config);
std::size_t nf4_bytes(const std::vector<Nf4Shape>& shapes);
/// Bytes of the file that stay in use: all but those of copied matrices, whose pages go.
std::uint64_t mapped_bytes(const StoredWeights& stored, std::uint64_t file_bytes, const Config& config, const Holding& holding);
/// The same for a model that is not here. Its tables count as eight bits a value, or as their share of the file where that is more.
std::uint64_t mapped_bytes(const Config& config, std::uint64_t file_bytes, const Holding& holding);
/// What a model holds beside its mapped file: copied matrices and vectors, the rope table.
std::size_t resident_bytes(const StoredWeights& stored, const Config& config, const Holding& holding);
/// The same for a model that is not here, a GGUF file of `file_bytes`: its matrices count as stored in blocks of less than 16
/// bits, its vectors as f32. A fused layer that has to be put together is counted with its share of the file, and so is what is
/// copied as it is stored, tables as in mapped_bytes.
std::size_t resident_bytes(const Config& config, std::uint64_t file_bytes, const Holding& holding);

// --- training ---

/// Room for micro-batches of `batch_tokens`, of which `packed_tokens` are computed (0 = all).
BatchRoom batch_room(std::int64_t batch_tokens, std::int64_t packed_tokens);

/// For batches of up to so much. `recompute` empty: only where keeping does not fit into `available` bytes.
TrainingMemory plan_training(const Config& config, const Backend& backend, const LoraShape& lora, const BatchRoom& room,
                             std::optional<bool> recompute, std::uint64_t available, int state_bits = 32, int activation_bits = 32);

// --- answers ---

inline constexpr std::int64_t kPromptChunk = 512;  ///< rows of a prompt pass
inline constexpr std::int64_t kMostSlots = 256;

/// Sequences that decode side by side.
struct GenerationShape {
  std::int64_t slots = 0;     ///< of the cache, shared prefixes included
  std::int64_t capacity = 0;  ///< positions of a slot: prompt and answer
  std::int64_t rows = 0;      ///< most rows of a pass
  std::int64_t rank = 0;      ///< 0 = no adapter
};

/// Parts of the arena of a generator, in bytes.
struct GenerationMemory {
  std::size_t cache = 0, work = 0, scratch = 0;

  std::size_t total() const { return cache + work + scratch; }
};
GenerationMemory generation_memory(const Config& config, const Backend& backend, const GenerationShape& shape);

}  // namespace namesake
