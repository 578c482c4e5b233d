// Two layers of Qwen2.5-1.5B's width on a card that has what the plan says: by its own words, and no more.
//
// On the stand-in, where every byte is counted; its guard takes all of a card's memory from the host before each launch, which at this
// size takes minutes: NAMESAKE_TRUE_WIDTH=1 asks for it.
#include <cstdlib>
#include <iostream>

#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/cuda_fixture.h"
#include "engine/arena.h"
#include "engine/folder_twin.h"
#include "engine/golden.h"
#include "engine/memory_plan.h"
#include "formats/blocks.h"

TEST_SUITE_BEGIN("cuda");

namespace namesake::test {

namespace {

constexpr std::int64_t kHidden = 1536, kHeads = 12, kKvHeads = 2, kHeadDim = 128, kFfn = 8960, kVocab = 151936, kLayers = 2;

/// The model's folder: random bf16 weights, embeddings that are the head too.
void write_model(const TemporaryFolder& folder) {
  FolderTwin twin;
  const auto number = [](std::int64_t value) { return std::to_string(value); };
  twin.config = {{"model_type", "\"qwen2\""}, {"vocab_size", number(kVocab)}, {"hidden_size", number(kHidden)},
                 {"intermediate_size", number(kFfn)}, {"num_hidden_layers", number(kLayers)}, {"num_attention_heads", number(kHeads)},
                 {"num_key_value_heads", number(kKvHeads)}, {"max_position_embeddings", "4096"}, {"hidden_act", "\"silu\""},
                 {"rms_norm_eps", "1e-06"}, {"rope_theta", "1000000.0"}, {"use_sliding_window", "false"}, {"tie_word_embeddings", "true"}};
  Random random("true width");
  // Every matrix takes its values from one pool, from another place on.
  std::vector<std::uint16_t> pool;
  for (int i = 0; i < 1 << 20; ++i) pool.push_back(f32_to_bf16(random.normal(0.02f)));
  std::size_t at = 0;
  const auto tensor = [&](const std::string& name, std::vector<std::int64_t> shape) {
    TwinTensor t{"BF16", std::move(shape), {}};
    std::size_t count = 1;
    for (const std::int64_t size : t.shape) count *= static_cast<std::size_t>(size);
    while (t.bytes.size() < 2 * count) {
      const std::size_t left = count - t.bytes.size() / 2, piece = std::min(left, pool.size() - at);
      t.bytes.append(reinterpret_cast<const char*>(pool.data() + at), 2 * piece);
      at = (at + piece + 4099) % pool.size();
    }
    twin.tensors[name] = std::move(t);
  };
  tensor("model.embed_tokens.weight", {kVocab, kHidden});
  tensor("model.norm.weight", {kHidden});
  for (std::int64_t l = 0; l < kLayers; ++l) {
    const std::string layer = "model.layers." + number(l) + ".";
    tensor(layer + "input_layernorm.weight", {kHidden});
    tensor(layer + "post_attention_layernorm.weight", {kHidden});
    for (const auto& [name, rows] : {std::pair("q", kHeads), std::pair("k", kKvHeads), std::pair("v", kKvHeads)}) {
      tensor(layer + "self_attn." + name + "_proj.weight", {rows * kHeadDim, kHidden});
      tensor(layer + "self_attn." + name + "_proj.bias", {rows * kHeadDim});
    }
    tensor(layer + "self_attn.o_proj.weight", {kHidden, kHeads * kHeadDim});
    tensor(layer + "mlp.gate_proj.weight", {kFfn, kHidden});
    tensor(layer + "mlp.up_proj.weight", {kFfn, kHidden});
    tensor(layer + "mlp.down_proj.weight", {kHidden, kFfn});
  }
  twin.write(folder);
}

TrainerOptions options() {
  TrainerOptions options;
  options.batch_tokens = 2048;
  options.recompute = true;
  return options;
}

/// Of the card's memory.
struct Use {
  std::uint64_t before = 0;  ///< available before
  std::uint64_t used = 0;    ///< by the training
};

/// From the folder to a step of a few tokens, in room for 2,048.
Status train(const std::string& folder, const std::string& cache, Use& use) {
  auto driver = StandIn::open_driver();
  REQUIRE_MESSAGE(driver.ok(), driver.status().message);
  const std::shared_ptr<Backend> backend = must(cuda::make_cuda_backend(driver.take()));
  use.before = backend->available();
  auto model = Model::open(folder, Precision::nf4, backend, cache);
  if (!model.ok()) return model.status();
  TrainerOptions asked = options();
  auto arena = reserve_training(*model.value(), 16, asked);
  if (!arena.ok()) return arena.status();
  auto adapter = Adapter::create(*model.value(), 16, 32, 1, true, arena.value());
  if (!adapter.ok()) return adapter.status();
  auto trainer = Trainer::create(model.take(), adapter.take(), asked, arena.value());
  if (!trainer.ok()) return trainer.status();
  Batch batch;
  batch.ids = batch.labels = {1, 2, 3, 4, 5, 6, 7, 8};
  batch.positions = {0, 1, 2, 3, 4, 5, 6, 7};
  batch.cu_seqlens = {0, 8};
  batch.ce_weights.assign(8, 0.1f);
  const Status status = trainer.value()->step(std::vector<Batch>{batch}).status();
  use.used = use.before - backend->available();
  return status;
}

}  // namespace

TEST_CASE("cuda: two layers of true width are trained in what the plan says, and refused in less") {
  if (cuda_backend() == nullptr || !StandIn::there()) return;
  if (!std::getenv("NAMESAKE_TRUE_WIDTH")) {
    std::cout << "skipped: two layers of true width on a card: NAMESAKE_TRUE_WIDTH is not set\n";
    return;
  }
  const TemporaryFolder folder, cache;
  write_model(folder);
  MemoryOptions asked;
  asked.rank = 16;
  asked.batch_tokens = 2048;
  asked.recompute = true;
  const std::uint64_t planned = must(plan_memory(must(shape_of_file(folder.path(), Precision::nf4, false)), *cuda_backend(), asked)).total;
  constexpr std::uint64_t kMiB = 1 << 20, kPlenty = 4096;
  Use use;
  {
    const StandIn stand_in("PTXCPU_MEM_MB", std::to_string(kPlenty).c_str());
    must(train(folder.path(), cache.path(), use));
  }
  MESSAGE("planned " << planned << " bytes, used " << use.used);
  CHECK(static_cast<double>(use.used) <= static_cast<double>(planned) * 1.03);
  CHECK(static_cast<double>(use.used) >= static_cast<double>(planned) * 0.97);
  const std::uint64_t own = kPlenty * kMiB - use.before;  // what a backend keeps, and leaves to the driver
  const auto with_room = [&](double share) {
    const std::uint64_t room = own + static_cast<std::uint64_t>(share * static_cast<double>(planned));
    const StandIn stand_in("PTXCPU_MEM_MB", std::to_string((room + kMiB - 1) / kMiB).c_str());
    return train(folder.path(), cache.path(), use);
  };
  must(with_room(1.03));
  const Status status = with_room(0.97);
  CHECK(status.code == Code::gpu_memory_insufficient);
  CHECK(status.needed > status.available);
}

}  // namespace namesake::test

TEST_SUITE_END();
