// Weights on a card: every matrix and vector is there as the host has it, the plan counts what they take, and the file's pages go.
#include <cstring>

#include "backend/cuda/cuda_fixture.h"
#include "engine/golden.h"
#include "engine/linear_layers.h"
#include "engine/memory_plan.h"
#include "engine/model_source.h"

TEST_SUITE_BEGIN("cuda");

namespace namesake::test {

namespace {

/// The card's backend as a model takes it; nothing is owned.
std::shared_ptr<Backend> card() { return {cuda_backend(), [](Backend*) {}}; }

std::vector<float> decoded(const Matrix& matrix) {
  std::vector<float> values(static_cast<std::size_t>(matrix.rows * matrix.cols));
  for (std::int64_t r = 0; r < matrix.rows; ++r) decode_row(matrix, r, values.data() + r * matrix.cols);
  return values;
}

template <class T>
std::vector<T> fetched(Backend& backend, const T* from, std::int64_t count) {
  std::vector<T> values(static_cast<std::size_t>(count));
  must(backend.download(values.data(), from, values.size() * sizeof(T)));
  return values;
}

/// The values of a matrix that lies on the card.
std::vector<float> decoded_from_card(Backend& backend, Matrix matrix) {
  const auto data = fetched(backend, matrix.data, matrix.rows * row_bytes(matrix.type, matrix.cols));
  matrix.data = data.data();
  if (matrix.type != BlockType::nf4) return decoded(matrix);
  const Nf4Shape shape{matrix.rows, matrix.cols};
  const auto absmax = fetched(backend, matrix.nf4->absmax, shape.blocks());
  const auto nested = fetched(backend, matrix.nf4->nested, shape.nested());
  const Nf4Scales scales{absmax.data(), nested.data(), matrix.nf4->offset};
  matrix.nf4 = &scales;
  return decoded(matrix);
}

/// Every weight of `model`, on the card, is that of `expected`, in the host's memory.
void check_same_weights(const Model& model, const Model& expected) {
  Backend& backend = model.backend();
  const Config& config = expected.config();
  const auto check_matrix = [&](const Matrix& matrix, const Matrix& host) {
    CHECK(matrix.type == host.type);
    CHECK(decoded_from_card(backend, matrix) == decoded(host));
  };
  const auto check_vector = [&](const float* vector, const float* host, std::int64_t size) {
    REQUIRE((vector == nullptr) == (host == nullptr));
    if (host == nullptr) return;
    CHECK(fetched(backend, vector, size) == std::vector<float>(host, host + size));
  };
  const Weights &weights = model.weights(), &others = expected.weights();
  if (config.tied) {
    CHECK(weights.embedding.data == weights.head.data);
  } else {
    // Gathered on the host: as it is stored, in any precision.
    CHECK(decoded(weights.embedding) == decoded(others.embedding));
  }
  check_matrix(weights.head, others.head);
  check_vector(weights.output_norm, others.output_norm, config.hidden);
  for (std::size_t l = 0; l < others.layers.size(); ++l) {
    LayerWeights layer = weights.layers[l], host = others.layers[l];
    for (const Linear linear : linears_of(config)) check_matrix(matrix_of(layer, linear), matrix_of(host, linear));
    const std::int64_t D = config.head_dim, KV = config.kv_heads * D;
    check_vector(layer.attn_norm, host.attn_norm, config.hidden);
    check_vector(layer.ffn_norm, host.ffn_norm, config.hidden);
    check_vector(layer.q_bias, host.q_bias, config.heads * D);
    check_vector(layer.k_bias, host.k_bias, KV);
    check_vector(layer.v_bias, host.v_bias, KV);
    check_vector(layer.q_norm, host.q_norm, D);
    check_vector(layer.k_norm, host.k_norm, D);
  }
  const std::int64_t angles = config.context * config.head_dim / 2;
  check_vector(model.rope().cos, expected.rope().cos, angles);
  check_vector(model.rope().sin, expected.rope().sin, angles);
}

}  // namespace

TEST_CASE("cuda: a model's weights are on the card as the host has them, and take what is planned") {
  if (cuda_backend() == nullptr) return;
  Backend& backend = *cuda_backend();
  std::vector<std::string> paths;
  for (const std::string& name : kGgufModels) paths.push_back(fixture(name + ".gguf"));
  for (const std::string& name : kFolderModels) paths.push_back(fixture(name));
  for (const std::string& path : paths) {
    for (const Precision precision : {Precision::as_stored, Precision::f32, Precision::bf16, Precision::nf4}) {
      CAPTURE(path);
      CAPTURE(static_cast<int>(precision));
      const ModelShape shape = must(shape_of_file(path, precision, false));
      const std::uint64_t before = backend.available();
      const auto model = must(Model::open(path, precision, card()));
      const std::uint64_t taken = before - backend.available();
      if (StandIn::there()) {
        CHECK(taken >= shape.resident);
        CHECK(taken < shape.resident + 4096);
      }
      check_same_weights(*model, *must(Model::open(path, precision, make_reference_backend())));
      const ModelShape guessed = must(shape_of_config(shape.config, shape.file_bytes, precision, false));
      CHECK(guessed.resident * 100 >= shape.resident * 95);
      CHECK((shape.config.tied ? guessed.mapped == 0 : guessed.mapped > 0));
    }
  }
}

TEST_CASE("cuda: quantised weights come from their cache, too") {
  if (cuda_backend() == nullptr) return;
  const TemporaryFolder cache;
  const std::string path = fixture("tiny-qwen2.gguf");
  const auto expected = must(Model::open(path, Precision::nf4, make_reference_backend()));
  for (const char* which : {"made", "kept"}) {
    CAPTURE(which);
    check_same_weights(*must(Model::open(path, Precision::nf4, card(), cache.path())), *expected);
    CHECK(cache.names().size() == 1);
  }
}

TEST_CASE("cuda: a plan has the card's part and the host's") {
  if (cuda_backend() == nullptr) return;
  const std::string path = fixture("tiny-llama.gguf");
  const ModelShape shape = must(shape_of_file(path, Precision::as_stored, false));
  // Only the embedding, which is not the head too, is still read from the file.
  const auto source = must(open_source(path));
  REQUIRE_FALSE(shape.config.tied);
  const Matrix& embedding = source.file->tensor("token_embd.weight")->matrix;
  const auto in_use = static_cast<std::uint64_t>(embedding.rows * row_bytes(embedding.type, embedding.cols));
  CHECK(shape.mapped > in_use);
  CHECK(shape.mapped < in_use + 20'000);  // vectors and the directory
  MemoryOptions options;
  options.rank = 4;
  options.batch_tokens = 256;
  options.process = 1000;
  options.slots = 4;
  options.answer_tokens = 100;
  const MemoryPlan plan = must(plan_memory(shape, *cuda_backend(), options));
  if (StandIn::there()) CHECK(plan.available == cuda_backend()->available());
  const std::uint64_t steps = plan.training.activations + plan.training.scratch;
  CHECK(plan.total == shape.resident + plan.training.total() - steps + std::max(steps, plan.between_steps));
  const std::uint64_t logits = static_cast<std::uint64_t>(4 * shape.config.vocab) * sizeof(float);
  CHECK(plan.host == shape.mapped + 1000 + logits);
  CHECK(plan.host_available > 0);
  CHECK(plan.fits);
}

TEST_CASE("cuda: a model that the card has no room for is refused with the numbers") {
  if (cuda_backend() == nullptr || !StandIn::there()) return;
  const std::uint64_t resident = must(shape_of_file(fixture("tiny-llama.gguf"), Precision::f32, false)).resident;
  const StandIn stand_in("PTXCPU_MEM_MB", "64");  // what is left to the driver
  const Status status = Model::open(fixture("tiny-llama.gguf"), Precision::f32, card()).status();
  CHECK(status.code == Code::gpu_memory_insufficient);
  CHECK(status.needed == resident);
  CHECK(status.available < resident);
}

}  // namespace namesake::test

TEST_SUITE_END();
