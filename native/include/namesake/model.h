// The map of the engine's memory: Config, Weights, Adapter, Trainable. Read this first.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "backend/ops.h"
#include "formats/blocks.h"
#include "namesake/status.h"

namespace namesake {

/// Sizes of a Llama-family model, read from the file.
struct Config {
  std::string architecture;        ///< "llama"
  std::int64_t hidden = 0;         ///< C
  std::int64_t layers = 0;         ///< L
  std::int64_t heads = 0;          ///< H
  std::int64_t kv_heads = 0;       ///< G
  std::int64_t head_dim = 0;       ///< D
  std::int64_t ffn = 0;            ///< F
  std::int64_t vocab = 0;          ///< V
  std::int64_t context = 0;        ///< most positions
  double rope_theta = 10000;
  float rms_eps = 1e-5f;
  bool tied = false;               ///< head is the embedding
  bool rope_adjacent = false;      ///< q/k rows are paired (2i, 2i+1), as GGUF arch llama stores them
};

/// Frozen weights of one layer; matrices are [out, in].
struct LayerWeights {
  const float* attn_norm = nullptr;  ///< [C]
  Matrix q;                          ///< [H*D, C]
  Matrix k;                          ///< [G*D, C]
  Matrix v;                          ///< [G*D, C]
  Matrix o;                          ///< [C, H*D]
  const float* ffn_norm = nullptr;   ///< [C]
  Matrix gate;                       ///< [F, C]
  Matrix up;                         ///< [F, C]
  Matrix down;                       ///< [C, F]
};

struct Weights {
  Matrix embedding;                  ///< [V, C]
  std::vector<LayerWeights> layers;
  const float* output_norm = nullptr;  ///< [C]
  Matrix head;                       ///< [V, C]; the embedding itself when tied
};

/// Precision of the frozen weights: as_stored keeps the file's own blocks, f32 and bf16 convert every linear layer, embedding
/// and head once at load (bf16: embedding and head stay as stored).
enum class Precision { as_stored, f32, bf16 };

/// An open model on a backend. Immutable once open; trainers and generators share it.
class Model {
 public:
  /// Opens a GGUF file and checks config, tensor set and shapes. model.* | memory.insufficient | recipe.unsupported.
  static Result<std::shared_ptr<Model>> open(const std::string& path, Precision precision,
                                             std::shared_ptr<Backend> backend);
  virtual ~Model() = default;
  virtual const Config& config() const = 0;
  virtual const Weights& weights() const = 0;
  virtual const RopeTable& rope() const = 0;
  virtual Backend& backend() const = 0;
  /// The same, for what owns backend memory and may outlive the model.
  virtual std::shared_ptr<Backend> shared_backend() const = 0;
};

/// The seven linear layers of a block, in PEFT's order of this engine.
enum class Linear { q, k, v, o, gate, up, down };
inline constexpr int kLinearsPerLayer = 7;

/// What is trained: one tensor with its gradient and optimizer state. LoRA factors are the first producer; the trainer,
/// optimizer and checkpoint never learn what a Trainable is for.
struct Trainable {
  std::string name;                ///< PEFT key: "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"
  std::int64_t rows = 0, cols = 0;
  float* value = nullptr;          ///< [rows, cols], backend memory
  float* grad = nullptr;           ///< the same shape; nullptr in an adapter that is only used, not trained
  float* m = nullptr;              ///< AdamW first moment
  float* v = nullptr;              ///< AdamW second moment
  float lr_scale = 1;
};

/// Where the gradients of one LoRA pair are summed; both nullptr in an adapter that is only used.
struct LoraGradient {
  float* a = nullptr;  ///< [R, K]
  float* b = nullptr;  ///< [N, R]
};

class Arena;  // engine/arena.h

/// A LoRA adapter on every linear layer, in backend memory; q/k lora_B rows are in the model's own (GGUF) row order here and
/// in Hugging Face order on disk.
class Adapter {
 public:
  virtual ~Adapter() = default;
  virtual std::int64_t rank() const = 0;
  virtual float alpha() const = 0;
  /// Views for linear_forward; row_on is the caller's.
  virtual LoraView view(std::int64_t layer, Linear linear) const = 0;
  /// Gradients for linear_backward of the same layer.
  virtual LoraGradient gradient(std::int64_t layer, Linear linear) const = 0;
  /// A and B of layer 0 q, then k, … in a fixed order.
  virtual std::vector<Trainable>& trainables() = 0;

  /// A fresh adapter: A Kaiming-uniform (a = sqrt 5) from Philox keyed (seed, trainable index, element), B zero. Its memory comes
  /// from `arena` (reserve_training), or is its own where that is nullptr.
  static Result<std::shared_ptr<Adapter>> create(const Model& model, std::int64_t rank, float alpha, std::uint64_t seed,
                                                 bool trainable, std::shared_ptr<Arena> arena = nullptr);
  /// From a PEFT folder (adapter_config.json + adapter_model.safetensors). adapter.unreadable | invalid | mismatch.
  static Result<std::shared_ptr<Adapter>> load(const Model& model, const std::string& folder, bool trainable,
                                               std::shared_ptr<Arena> arena = nullptr);
  /// The rank of the adapter in a PEFT folder: adapter.unreadable | invalid | mismatch.
  static Result<std::int64_t> rank_in(const std::string& folder);
  /// Writes a PEFT folder that exists already; `base_model` is what adapter_config.json names as base_model_name_or_path.
  virtual Status save(const std::string& folder, const std::string& base_model) const = 0;
};

}  // namespace namesake
