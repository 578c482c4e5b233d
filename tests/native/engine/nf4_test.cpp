// Precision nf4: which matrices become it, from which values, what training makes of them, and the memory that it takes.
#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>

#include "engine/arena.h"
#include "engine/golden.h"
#include "engine/linear_layers.h"
#include "engine/memory_plan.h"
#include "formats/gguf.h"
#include "formats/nf4.h"

namespace namesake::test {

namespace {

/// A fixture of its own folder: quantised weights are kept beside it.
std::string copy_of(const TemporaryFolder& folder, const std::string& name) {
  std::filesystem::copy(fixture(name), folder / name, std::filesystem::copy_options::recursive);
  return folder / name;
}

std::vector<float> decoded(const Matrix& matrix) {
  std::vector<float> values(static_cast<std::size_t>(matrix.rows * matrix.cols));
  for (std::int64_t r = 0; r < matrix.rows; ++r) decode_row(matrix, r, values.data() + r * matrix.cols);
  return values;
}

/// What a matrix is after quantising.
std::vector<float> quantized(const Matrix& matrix) {
  Nf4Matrix made;
  REQUIRE(quantize_nf4({matrix.rows, matrix.cols}, [&](std::int64_t r, float* out) { decode_row(matrix, r, out); }, 1, made));
  const Nf4Scales scales{made.absmax.data(), made.nested.data(), made.offset};
  return decoded({BlockType::nf4, matrix.rows, matrix.cols, reinterpret_cast<const std::byte*>(made.codes.data()), &scales});
}

Batch one_batch() {
  Batch batch;
  for (std::int32_t i = 0; i < 24; ++i) batch.ids.push_back(i * 13 % 300);
  batch.labels = batch.ids;
  for (std::int32_t i = 0; i < 24; ++i) batch.positions.push_back(i % 12);
  batch.cu_seqlens = {0, 12, 24};
  batch.ce_weights.assign(24, 1.0f / 22);
  batch.ce_weights[0] = batch.ce_weights[12] = 0;
  return batch;
}

}  // namespace

TEST_CASE("nf4: linear layers of whole blocks are quantised from what is stored, everything else stays") {
  const auto backend = std::shared_ptr<Backend>(must(make_cpu_backend("auto", 2)));
  for (const std::string name : {"tiny-llama.gguf", "tiny-qwen2.gguf", "tiny-qwen3.gguf", "tiny-internlm2.gguf"}) {
    CAPTURE(name);
    const TemporaryFolder folder;
    const auto stored = must(Model::open(fixture(name), Precision::as_stored, backend));
    const auto model = must(Model::open(copy_of(folder, name), Precision::nf4, backend));
    CHECK(model->weights().embedding.type == stored->weights().embedding.type);
    CHECK(model->weights().head.type == stored->weights().head.type);
    for (std::size_t l = 0; l < stored->weights().layers.size(); ++l) {
      LayerWeights from = stored->weights().layers[l], to = model->weights().layers[l];
      for (Linear linear : linears_of(model->config())) {
        const Matrix &before = matrix_of(from, linear), &after = matrix_of(to, linear);
        const bool fits = before.cols % 64 == 0;
        CHECK(after.type == (fits ? BlockType::nf4 : before.type));
        CHECK(decoded(after) == (fits ? quantized(before) : decoded(before)));
      }
    }
  }
}

TEST_CASE("nf4: ten AdamW steps follow torch and peft on what bitsandbytes makes of the same weights") {
  for (const std::string name : {"tiny-qwen2", "tiny-internlm2"}) {
    const Golden golden = read_golden(name);
    const auto expected = read_tensors_of(fixture("golden/" + name + "/nf4.safetensors")).tensors;
    const TemporaryFolder folder;
    const std::string path = copy_of(folder, name + ".gguf");
    on_each_backend([&](std::shared_ptr<Backend> backend) {
      CAPTURE(name);
      const auto model = must(Model::open(path, Precision::nf4, backend));
      const auto trainer = must(Trainer::create(model, golden_adapter(name, *model), golden_options()));
      const bool rounded = rounds_products(*model);
      for (std::size_t s = 0; s < golden.batches.size(); ++s) {
        CAPTURE(s);
        const StepResult result = must(trainer->step(std::vector<Batch>{pack(golden.batches[s])}));
        CHECK(std::fabs(result.loss - expected.at("losses_nf4")[s]) <= (rounded ? 3e-2 : 1e-4));  // measured 1.3e-6
        CHECK(result.grad_norm == doctest::Approx(expected.at("grad_norms_nf4")[s]).epsilon(rounded ? 1e-1 : 1e-3));  // measured 8.2e-7
      }
    });
  }
}

TEST_CASE("nf4: logits are those of its decoded values, on every backend") {
  const std::vector<std::int32_t> ids = {1, 50, 7, 300, 22, 9, 120};
  const TemporaryFolder folder;
  const std::string path = copy_of(folder, "tiny-qwen2.gguf");
  const auto expected = must(logits(*must(Model::open(path, Precision::nf4, make_reference_backend())), nullptr, ids));
  const auto stored = must(logits(*must(Model::open(path, Precision::as_stored, make_reference_backend())), nullptr, ids));
  CHECK(relative_l2(expected, stored) > 0.01);  // four bits are seen: measured 0.26
  on_each_backend([&](std::shared_ptr<Backend> backend) {
    const auto model = must(Model::open(path, Precision::nf4, backend));
    CHECK(relative_l2(must(logits(*model, nullptr, ids)), expected) < (rounds_products(*model) ? 1e-2 : 3e-6));  // measured 6.2e-7
  });
}

TEST_CASE("nf4: saving and going on elsewhere gives the bits of all steps in a row, from the cache and without it") {
  on_each_backend([&](std::shared_ptr<Backend> backend) {
    const TemporaryFolder folder;
    const std::string path = copy_of(folder, "tiny-qwen2.gguf");
    TrainerOptions options;
    options.lr = 1e-2f;
    options.steps = 6;
    const std::vector<Batch> batch = {one_batch()};
    const auto model = must(Model::open(path, Precision::nf4, backend, folder / "cache"));
    const auto whole = must(Adapter::create(*model, 4, 8, 5, true));
    const auto trainer = must(Trainer::create(model, whole, options));
    const float first = must(trainer->step(batch)).loss;
    for (int step = 2; step <= 3; ++step) must(trainer->step(batch));
    must(trainer->save_checkpoint(folder / "step-3", "tiny"));
    float last = 0;
    for (int step = 4; step <= 6; ++step) last = must(trainer->step(batch)).loss;
    CHECK(last < first);

    CHECK(!std::filesystem::is_empty(folder / "cache"));
    for (const bool cached : {true, false}) {
      CAPTURE(cached);
      const auto again = must(Model::open(path, Precision::nf4, backend, cached ? folder / "cache" : ""));
      const auto resumed = must(Adapter::create(*again, 4, 8, 99, true));
      const auto second = must(Trainer::create(again, resumed, options));
      must(second->load_checkpoint(folder / "step-3"));
      for (int step = 4; step <= 6; ++step) must(second->step(batch));
      CHECK(state_of(*resumed) == state_of(*whole));
    }
  });
}

TEST_CASE("nf4: what it takes is planned from the file and from shapes, and less of the file stays in use") {
  const std::string path = fixture("tiny-qwen2.gguf");
  const ModelShape stored = must(shape_of_file(path, Precision::as_stored)), shape = must(shape_of_file(path, Precision::nf4));
  CHECK(stored.mapped == stored.file_bytes);
  const auto file = must(GgufFile::open(path));
  std::uint64_t quantized = 0, resident = 0;
  for (const StoredTensor& tensor : file->tensors()) {
    if (tensor.shape.size() == 1) resident += Arena::padded(static_cast<std::size_t>(tensor.shape[0]) * sizeof(float));
    if (!tensor.name.starts_with("blk.") || tensor.shape.size() != 2) continue;
    const std::int64_t rows = tensor.matrix.rows, cols = tensor.matrix.cols;
    quantized += static_cast<std::uint64_t>(rows * row_bytes(tensor.matrix.type, cols));
    resident += Arena::padded(static_cast<std::size_t>(rows * cols / 2)) + Arena::padded(static_cast<std::size_t>(rows * cols / 64)) +
                Arena::padded(static_cast<std::size_t>((rows * cols / 64 + 255) / 256 * 4));
  }
  CHECK(shape.mapped == stored.file_bytes - quantized);
  CHECK(shape.resident == stored.resident + resident);
  const ModelShape guessed = must(shape_of_config(shape.config, shape.file_bytes, Precision::nf4));
  CHECK(guessed.resident == shape.resident);
  CHECK(guessed.mapped > 0);
  CHECK(guessed.mapped < stored.file_bytes);

  // 4.127 bits a value, of a matrix that is large enough.
  CHECK(static_cast<double>(converted_bytes(2048, 8192, BlockType::nf4)) * 8 / (2048.0 * 8192) == doctest::Approx(4.127).epsilon(1e-3));
  const auto backend = must(make_cpu_backend("auto", 1));
  MemoryOptions options;
  CHECK(must(plan_memory(shape, *backend, options)).weights_mapped == shape.mapped);
  CHECK(must(plan_memory(shape, *backend, options)).weights_resident == shape.resident);
}

TEST_CASE("nf4: a weight that is not finite is refused") {
  const TemporaryFolder folder;
  const std::string path = copy_of(folder, "tiny-qwen2.gguf");
  std::string bytes = read_text(path);
  const auto file = must(GgufFile::open(path));
  const Matrix& matrix = file->tensor("blk.1.ffn_down.weight")->matrix;
  REQUIRE(matrix.type == BlockType::f16);
  const std::uint16_t infinite = 0x7c00;
  const auto at = bytes.find(std::string(reinterpret_cast<const char*>(matrix.data), 64));
  REQUIRE(at != std::string::npos);
  std::memcpy(bytes.data() + at, &infinite, sizeof infinite);
  write_text(folder / "broken.gguf", bytes);
  CHECK(Model::open(folder / "broken.gguf", Precision::nf4, make_reference_backend()).status().code == Code::model_invalid);
  CHECK(folder.names() == std::vector<std::string>{"broken.gguf", "tiny-qwen2.gguf"});
}

}  // namespace namesake::test
