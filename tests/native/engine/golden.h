// What the engine tests share: tiny models on every backend, golden results of torch and peft, comparisons.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "backend/amx/tile_backends.h"
#include "doctest/doctest.h"
#include "formats/temporary_folder.h"
#include "namesake/model.h"
#include "namesake/trainer.h"

namespace namesake::test {

/// The tiny models of tests/fixtures that are stored in blocks.
inline const std::vector<std::string> kTinyModels = {"tiny-llama", "tiny-llama-tied", "tiny-kquants"};

/// All that are GGUF files: those, and one of each family and kind of rope.
inline const std::vector<std::string> kGgufModels = {"tiny-llama",  "tiny-llama-tied", "tiny-kquants", "tiny-llama3",
                                                     "tiny-qwen2", "tiny-qwen3",      "tiny-internlm2"};

/// All that are folders in Hugging Face's layout: of the families' GGUF files the same weights.
inline const std::vector<std::string> kFolderModels = {"tiny-llama3", "tiny-mistral", "tiny-qwen2", "tiny-qwen3", "tiny-internlm2"};

std::string fixture(const std::string& name);   ///< absolute path under tests/fixtures

/// A value that must be there; the test fails with the Status otherwise.
template <class T>
T must(Result<T> result) {
  REQUIRE_MESSAGE(result.ok(), code_name(result.status().code), ": ", result.status().message);
  return result.take();
}
inline void must(const Status& status) { REQUIRE_MESSAGE(status.ok(), code_name(status.code), ": ", status.message); }

/// Runs `run` on the reference and on the cpu backend of each isa of this machine (2 threads); a missing one is printed by name.
/// BACKEND=reference|scalar|avx2|avx512|avx512bf16|amxbf16|amxbf16-emulated|neon keeps one.
void on_each_backend(const std::function<void(std::shared_ptr<Backend>)>& run);

/// Whether a model's products round their operands to bf16: torch's results, all in f32, are then farther away.
bool rounds_products(const Model& model);

/// The isas of the cpu backend that this machine has.
const std::vector<std::string>& cpu_isas();

std::shared_ptr<Model> open_model(const std::string& name, std::shared_ptr<Backend> backend,
                                  Precision precision = Precision::as_stored);
std::shared_ptr<Adapter> golden_adapter(const std::string& name, const Model& model, bool trainable = true);

/// A batch in a recipe's own form: rows x T, padded on the right.
struct PaddedBatch {
  std::vector<std::vector<std::int32_t>> ids, labels, mask;
};

/// tests/fixtures/golden/NAME.
struct Golden {
  std::map<std::string, std::vector<float>> tensors;   ///< f32 tensors of golden.safetensors, i32 ones converted
  std::map<std::string, std::vector<std::int64_t>> shapes;
  PaddedBatch batch;                                   ///< of the single-batch results
  std::vector<std::vector<std::int32_t>> kl_mask;
  std::vector<PaddedBatch> batches;                    ///< of the ten steps
};
Golden read_golden(const std::string& name);
/// Only the tensors of one safetensors file, of i32 and f32.
Golden read_tensors_of(const std::string& path);
/// The settings of the goldens' ten steps (tests/fixtures/make_golden.py).
TrainerOptions golden_options();
/// A list of batches in the form of `"format": "tokens"`.
std::vector<PaddedBatch> read_batches(const std::string& path);

/// Rows of a padded batch packed without their padding; every label has weight 1 / count.
Batch pack(const PaddedBatch& padded);
/// Only row `row`, with the weights that it has in the whole batch.
Batch pack_row(const PaddedBatch& padded, std::size_t row);

/// The golden batch with KL(base || tuned) alone, as its mask says, and no cross-entropy.
Batch pack_kl(const Golden& golden);

double relative_l2(const std::vector<float>& actual, const std::vector<float>& expected);
double cosine(const std::vector<float>& a, const std::vector<float>& b);

/// Values of every trainable, and of its moments (codes as they are), of an adapter in host memory.
std::vector<std::vector<float>> state_of(Adapter& adapter);
/// The same, downloaded from any backend.
std::vector<std::vector<float>> state_of(Adapter& adapter, Backend& backend);

/// Takes a field out of a checkpoint's trainer_state.json: checkpoints from before there was such a choice do not have it.
void forget_field(const std::string& checkpoint, const std::string& name);

}  // namespace namesake::test
