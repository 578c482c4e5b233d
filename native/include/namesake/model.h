// The map of the engine's memory: Config, Weights, Adapter, Trainable. Read this first.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backend/ops.h"
#include "formats/blocks.h"
#include "namesake/status.h"

namespace namesake {

/// Whose code a model follows. They share one graph and differ in the flags of Config and in the names of their tensors.
/// Mistral, SmolLM2 and their like are llama.
enum class Family : std::uint8_t { llama, qwen2, qwen3, internlm2 };

/// What becomes of rope's frequencies theta^(-2i/D).
struct RopeScaling {
  /// dynamic (NTK) changes nothing up to the model's own context, which is the limit here.
  enum class Type : std::uint8_t { none, llama3, dynamic };

  Type type = Type::none;
  // llama3: long waves are slowed down by `factor`, short ones not, those between in part (transformers, "llama3").
  double factor = 1;
  double low = 1;                  ///< low_freq_factor: waves longer than original_context / low are long
  double high = 4;                 ///< high_freq_factor: waves shorter than original_context / high are short
  double original_context = 0;
  /// llama3 as a file states it itself: frequency i is divided by factors[i]. [D / 2], or empty: from the numbers above.
  std::vector<float> factors;
};

/// Sizes and options of a model, read from its files.
struct Config {
  std::string architecture;        ///< as the file says: "llama", "qwen2", …
  Family family = Family::llama;
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
  bool qkv_bias = false;           ///< q, k and v have a bias
  bool qk_norm = false;            ///< each head of q and k goes through an RMSNorm before rope
  bool fused_qkv = false;          ///< q, k and v are one linear layer: Linear::qkv
  RopeScaling rope_scaling;
  bool f32_matrices = true;        ///< some matrix of a product is f32, as the weights are held; unknown before a file was seen: true
};

/// "llama", "qwen2", "qwen3", "internlm2": GGUF's general.architecture, and transformers' model_type (which has other names for
/// llama's likes).
const char* family_name(Family family);
std::optional<Family> family_of(std::string_view name);
/// Sets the family and the options that all its models have: qkv_bias, qk_norm, fused_qkv.
void set_family(Config& config, Family family);

/// Frozen weights of one layer; matrices are [out, in]. What the config does not ask for stays empty.
struct LayerWeights {
  const float* attn_norm = nullptr;  ///< [C]
  Matrix q;                          ///< [H*D, C]
  Matrix k;                          ///< [G*D, C]
  Matrix v;                          ///< [G*D, C]
  Matrix qkv;                        ///< [(H + 2G)*D, C] fused_qkv: for each key/value head its H/G query heads, its key, its value
  const float* q_bias = nullptr;     ///< [H*D] qkv_bias
  const float* k_bias = nullptr;     ///< [G*D] qkv_bias
  const float* v_bias = nullptr;     ///< [G*D] qkv_bias
  const float* q_norm = nullptr;     ///< [D] qk_norm
  const float* k_norm = nullptr;     ///< [D] qk_norm
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
/// and head once at load (bf16: embedding and head stay as stored). nf4 quantises linear layers whose columns are a multiple of 64
/// (formats/nf4.h), once: they are kept on disk and mapped from then on.
enum class Precision { as_stored, f32, bf16, nf4 };

/// An open model on a backend. Immutable once open; trainers and generators share it.
class Model {
 public:
  /// Opens a model and checks config, tensor set and shapes. model.* | memory.insufficient. `cache_folder` keeps
  /// quantised weights (engine/nf4_cache.h): the program's own; empty = none are kept.
  static Result<std::shared_ptr<Model>> open(const std::string& path, Precision precision, std::shared_ptr<Backend> backend,
                                             const std::string& cache_folder = "");
  virtual ~Model() = default;
  virtual const Config& config() const = 0;
  virtual const Weights& weights() const = 0;
  virtual const RopeTable& rope() const = 0;
  virtual Backend& backend() const = 0;
  /// The same, for what owns backend memory and may outlive the model.
  virtual std::shared_ptr<Backend> shared_backend() const = 0;
};

/// The linear layers that a block may have.
enum class Linear : std::uint8_t { q, k, v, o, gate, up, down, qkv };
inline constexpr std::size_t kLinears = 8;
/// Those that a model's blocks do have, in the order of the trainables: q k v o gate up down, or qkv o gate up down.
std::span<const Linear> linears_of(const Config& config);

/// A moment of AdamW of one tensor: f32 values, or codes of 8 bits with an absmax of each 256 (Backend::adamw_8bit).
struct Moment {
  float* values = nullptr;         ///< the tensor's shape; nullptr where there are codes
  std::uint8_t* codes = nullptr;   ///< the tensor's shape; nullptr where there are values
  float* absmax = nullptr;         ///< [values / 256, rounded up], with codes
};

/// What is trained: one tensor with its gradient and optimizer state. LoRA factors are the first producer; the trainer,
/// optimizer and checkpoint never learn what a Trainable is for.
struct Trainable {
  std::string name;                ///< PEFT key: "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"
  std::int64_t rows = 0, cols = 0;
  float* value = nullptr;          ///< [rows, cols], backend memory
  float* grad = nullptr;           ///< the same shape; nullptr in an adapter that is only used, not trained
  Moment m, v;                     ///< AdamW's first and second moment; empty in an adapter that is only used
  float lr_scale = 1;              ///< its learning rate over the step's
};

/// Where the gradients of one LoRA pair are summed; both nullptr in an adapter that is only used.
struct LoraGradient {
  float* a = nullptr;  ///< [R, K]
  float* b = nullptr;  ///< [N, R]
};

/// Which factors an adapter has: of `rank`, on every linear layer of the blocks from `first_layer` up. A rank alone: of all blocks.
/// Blocks below are the base model's own: nothing of them is kept for the backward pass, which ends above them.
struct LoraShape {
  LoraShape(std::int64_t rank = 0, std::int64_t first_layer = 0) : rank(rank), first_layer(first_layer) {}
  bool operator==(const LoraShape&) const = default;

  std::int64_t rank;         ///< 0 = no adapter
  std::int64_t first_layer;
};
/// Of the uppermost `layers` blocks; 0, or more than there are: of all.
LoraShape lora_shape(const Config& config, std::int64_t rank, std::int64_t layers);

class Arena;  // engine/arena.h

/// A LoRA adapter in backend memory; lora_B rows are in the model's own row order here and in Hugging
/// Face's on disk, which differ where a GGUF file pairs q/k rows.
class Adapter {
 public:
  virtual ~Adapter() = default;
  virtual LoraShape shape() const = 0;
  virtual float alpha() const = 0;
  /// Views for linear_forward of a layer that it has; row_on is the caller's.
  virtual LoraView view(std::int64_t layer, Linear linear) const = 0;
  /// Gradients for linear_backward of the same layer.
  virtual LoraGradient gradient(std::int64_t layer, Linear linear) const = 0;
  /// A and B of its first layer's first linear, then the next, …: layers, then linears_of(config), then A before B.
  virtual std::vector<Trainable>& trainables() = 0;

  /// A fresh adapter: A Kaiming-uniform (a = sqrt 5) from Philox keyed (seed, place among the factors of a whole model, element), B zero: a block's
  /// are the same however many blocks have some. Its memory comes
  /// from `arena` (reserve_training), or is its own where that is nullptr. `state_bits`, 32 or 8: of its moments, where it is
  /// trained (TrainerOptions).
  static Result<std::shared_ptr<Adapter>> create(const Model& model, const LoraShape& shape, float alpha, std::uint64_t seed,
                                                 bool trainable, std::shared_ptr<Arena> arena = nullptr, int state_bits = 32);
  /// From a PEFT folder (adapter_config.json + adapter_model.safetensors). adapter.unreadable | invalid | mismatch.
  static Result<std::shared_ptr<Adapter>> load(const Model& model, const std::string& folder, bool trainable,
                                               std::shared_ptr<Arena> arena = nullptr, int state_bits = 32);
  /// The shape of the adapter of `config`'s model in a PEFT folder, from its adapter_config.json alone: adapter.unreadable | invalid | mismatch.
  static Result<LoraShape> shape_in(const Config& config, const std::string& folder);
  /// Writes a PEFT folder that exists already; `base_model` is what adapter_config.json names as base_model_name_or_path.
  virtual Status save(const std::string& folder, const std::string& base_model) const = 0;
};

}  // namespace namesake
