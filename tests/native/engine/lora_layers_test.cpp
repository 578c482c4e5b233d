// Adapters of the upper layers alone: the same bits as one of all layers with nothing below, for less time and memory.
#include <algorithm>
#include <filesystem>
#include <vector>

#include "engine/arena.h"
#include "engine/golden.h"
#include "engine/lora_layout.h"
#include "engine/memory_plan.h"
#include "backend/cuda/cuda_fixture.h"
#include "formats/safetensors.h"
#include "namesake/generator.h"

namespace namesake::test {

namespace {

/// An adapter of all layers whose factors below `first_layer` do nothing, and one that has none there: what they share is the golden's.
struct Pair {
  std::shared_ptr<Adapter> whole, upper;
};

Pair make_pair(const std::string& name, const Model& model, std::int64_t first_layer) {
  Pair pair{golden_adapter(name, model), must(Adapter::create(model, {4, first_layer}, 8, 99, true))};
  const std::size_t below = lora_count(model.config(), 0) - lora_count(model.config(), first_layer);
  for (std::size_t i = 0; i < pair.whole->trainables().size(); ++i) {
    const Trainable& t = pair.whole->trainables()[i];
    const std::size_t bytes = static_cast<std::size_t>(t.rows * t.cols) * sizeof(float);
    if (i >= below) {
      const Trainable& same = pair.upper->trainables()[i - below];
      REQUIRE(same.name == t.name);
      must(model.backend().copy(same.value, t.value, bytes));
    } else if (t.name.ends_with("lora_B.weight")) {
      must(model.backend().zero(t.value, bytes));
    }
  }
  return pair;
}

/// The golden batch with cross-entropy of every label and KL where its mask has it: some of its sequences have a base pass.
Batch both_losses(const Golden& golden) {
  Batch batch = pack(golden.batch);
  batch.kl_weights = pack_kl(golden).kl_weights;
  // Of the first sequence nothing: the base pass has fewer sequences than the tuned one.
  std::fill_n(batch.kl_weights.begin(), batch.cu_seqlens[1], 0.0f);
  return batch;
}

/// Conversations of one beginning, of which those with KL share more.
Batch shared_beginnings() {
  const std::vector<std::int32_t> beginning{20, 57, 94, 131, 168}, more{31, 32, 33, 34};
  const std::vector<std::vector<std::int32_t>> ends{{11, 12, 13}, {14, 15, 16, 17}, {18, 19}, {21, 22, 23}};
  Batch batch;
  batch.cu_seqlens = {0};
  for (std::size_t s = 0; s < ends.size(); ++s) {
    const bool kl = s % 2 == 1;
    std::vector<std::int32_t> ids = beginning;
    if (kl) ids.insert(ids.end(), more.begin(), more.end());
    const std::size_t first_label = ids.size() + 1;
    ids.insert(ids.end(), ends[s].begin(), ends[s].end());
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const bool labelled = i >= first_label;
      batch.ids.push_back(ids[i]);
      batch.positions.push_back(static_cast<std::int32_t>(i));
      batch.labels.push_back(labelled ? ids[i] : -100);
      batch.ce_weights.push_back(labelled ? 0.1f : 0);
      batch.kl_weights.push_back(labelled && kl ? 0.2f : 0);
    }
    batch.cu_seqlens.push_back(static_cast<std::int32_t>(batch.ids.size()));
  }
  return batch;
}

void check_gradients(const std::string& name, Model& model, std::int64_t first_layer) {
  CAPTURE(name);
  CAPTURE(first_layer);
  const Golden golden = read_golden(name);
  const auto [whole, upper] = make_pair(name, model, first_layer);
  for (const Batch& batch : {pack(golden.batch), pack_kl(golden), both_losses(golden), shared_beginnings()}) {
    for (const int bits : {32, 16}) {
      const std::vector<Batch> batches{batch};
      const Gradients all = must(gradients(model, *whole, batches, bits)), some = must(gradients(model, *upper, batches, bits));
      CHECK(some.result.ce == all.result.ce);
      CHECK(some.result.kl == all.result.kl);
      REQUIRE(some.tensors.size() == lora_count(model.config(), first_layer));
      const std::size_t below = all.tensors.size() - some.tensors.size();
      for (std::size_t i = 0; i < some.tensors.size(); ++i) {
        CAPTURE(some.tensors[i].first);
        CHECK(some.tensors[i] == all.tensors[below + i]);
      }
    }
  }
}

}  // namespace

TEST_CASE("gradients of an adapter of the upper layers are those of one with nothing below, bit for bit, with KL and without") {
  for (const std::string& name : kGgufModels) {
    on_each_backend([&](std::shared_ptr<Backend> backend) {
      const auto model = open_model(name, backend);
      for (std::int64_t first = 1; first < model->config().layers; ++first) check_gradients(name, *model, first);
    });
  }
}

TEST_CASE("scores, logits and answers of an adapter of the upper layers are those of one with nothing below") {
  for (const std::string name : {"tiny-llama", "tiny-internlm2"}) {
    const Golden golden = read_golden(name);
    on_each_backend([&](std::shared_ptr<Backend> backend) {
      CAPTURE(name);
      const auto model = open_model(name, backend);
      const auto [whole, upper] = make_pair(name, *model, 1);
      const Batch batch = pack(golden.batch);
      const ScoreResult all = must(score(*model, whole.get(), batch)), some = must(score(*model, upper.get(), batch));
      CHECK(some.ce_tuned == all.ce_tuned);
      CHECK(some.ce_base == all.ce_base);
      CHECK(some.kl == all.kl);
      CHECK(some.kl > 0);
      const std::vector<std::int32_t> ids(batch.ids.begin(), batch.ids.begin() + 7);
      CHECK(must(logits(*model, upper.get(), ids)) == must(logits(*model, whole.get(), ids)));
      const auto answers = [&](const std::shared_ptr<Adapter>& adapter) {
        std::vector<GenerateRequest> requests(2);
        for (std::size_t r = 0; r < 2; ++r) {
          requests[r].prompt = ids;
          requests[r].max_tokens = 8;
          requests[r].adapter = r == 0;
        }
        return must(Generator::create(model, adapter, 2))->run(requests, {}, nullptr);
      };
      const auto ours = must(answers(upper)), theirs = must(answers(whole));
      REQUIRE(ours.size() == 2);
      for (std::size_t r = 0; r < 2; ++r) CHECK(ours[r].tokens == theirs[r].tokens);
    });
  }
}

TEST_CASE("training the upper layers: what is computed again has the bits of what is kept, above a trunk of one layer and of two") {
  const std::string name = "tiny-llama-tied";
  const Golden golden = read_golden(name);
  on_each_backend([&](std::shared_ptr<Backend> backend) {
    const auto model = open_model(name, backend);
    REQUIRE(model->config().layers == 3);
    for (const std::int64_t first_layer : {1, 2}) {
      for (const int bits : {32, 16}) {
        const auto trained = [&](bool recompute) {
          TrainerOptions options = golden_options();
          options.activation_bits = bits;
          options.recompute = recompute;
          const auto adapter = must(Adapter::create(*model, {4, first_layer}, 8, 7, true));
          const auto trainer = must(Trainer::create(model, adapter, options));
          for (const PaddedBatch& batch : golden.batches) must(trainer->step(std::vector<Batch>{pack(batch), both_losses(golden)}));
          return state_of(*adapter);
        };
        CHECK(trained(true) == trained(false));
      }
    }
  });
}

TEST_CASE("training the upper layers: a checkpoint goes on bit for bit, and one of other layers is refused") {
  const std::string name = "tiny-llama";
  const Golden golden = read_golden(name);
  on_each_backend([&](std::shared_ptr<Backend> backend) {
    TemporaryFolder folder;
    const auto model = open_model(name, backend);
    const auto adapter_of = [&](const LoraShape& shape) { return must(Adapter::create(*model, shape, 8, 7, true)); };
    const auto train = [&](Trainer& trainer, std::size_t first, std::size_t last) {
      for (std::size_t s = first; s < last; ++s) must(trainer.step(std::vector<Batch>{pack(golden.batches[s]), both_losses(golden)}));
    };
    const TrainerOptions options = golden_options();
    const auto kept = adapter_of({4, 1}), resumed = adapter_of({4, 1});
    const auto trainer = must(Trainer::create(model, kept, options));
    train(*trainer, 0, 2);
    must(trainer->save_checkpoint(folder / "two", "tiny"));
    train(*trainer, 2, 4);

    const auto second = must(Trainer::create(model, resumed, options));
    must(second->load_checkpoint(folder / "two"));
    train(*second, 2, 4);
    CHECK(state_of(*resumed) == state_of(*kept));

    CHECK(must(Adapter::shape_in(model->config(), folder / "two")) == LoraShape(4, 1));
    const auto whole = must(Trainer::create(model, adapter_of(4), options));
    CHECK(whole->load_checkpoint(folder / "two").code == Code::adapter_mismatch);
    // The names of the factors say their layer: what is there is of the upper one alone.
    for (const auto& [key, tensor] : must(read_safetensors(folder / "two/adapter_model.safetensors")).tensors) {
      CHECK(key.find(".layers.1.") != std::string::npos);
    }
  });
}

TEST_CASE("a fresh adapter's factors of a layer do not depend on how many layers have some") {
  const auto model = open_model("tiny-llama", make_reference_backend());
  const auto whole = must(Adapter::create(*model, 4, 8, 5, false)), upper = must(Adapter::create(*model, {4, 1}, 8, 5, false));
  const std::size_t below = whole->trainables().size() - upper->trainables().size();
  for (std::size_t i = 0; i < upper->trainables().size(); ++i) {
    const Trainable &a = whole->trainables()[below + i], &b = upper->trainables()[i];
    CHECK(std::equal(a.value, a.value + a.rows * a.cols, b.value));
  }
}

TEST_CASE("fewer layers: what is planned is what is taken, and it is less; layers that a model lacks are refused") {
  const auto model = open_model("tiny-llama", make_reference_backend());
  const Config& config = model->config();
  REQUIRE(config.layers == 2);
  CHECK(lora_shape(config, 4, 0) == LoraShape(4));
  CHECK(lora_shape(config, 4, 1) == LoraShape(4, 1));
  CHECK(lora_shape(config, 4, 2) == LoraShape(4));
  CHECK(lora_shape(config, 4, 3) == LoraShape(4));

  TrainerOptions options;
  options.batch_tokens = 64;
  std::size_t planned[2];
  for (const std::int64_t first : {0, 1}) {
    const LoraShape lora(4, first);
    auto arena = must(reserve_training(*model, lora, options));
    const auto adapter = must(Adapter::create(*model, lora, 8, 1, true, arena));
    must(Trainer::create(model, adapter, options, arena));
    const TrainingMemory memory = plan_training(config, model->backend(), lora, BatchRoom::plain(64), {}, 1u << 30);
    CHECK(arena->used() == arena->capacity());
    CHECK(arena->capacity() == memory.total());
    planned[first] = memory.activations;
  }
  CHECK(planned[1] < planned[0]);

  CHECK(reserve_training(*model, LoraShape(4, 2), options).status().code == Code::recipe_unsupported);
  CHECK(Adapter::create(*model, {4, 2}, 8, 1, false).status().code == Code::recipe_unsupported);
  CHECK(Adapter::create(*model, {4, -1}, 8, 1, false).status().code == Code::recipe_unsupported);
}

TEST_SUITE("cuda") {

TEST_CASE("cuda: gradients of an adapter of the upper layers are those of one with nothing below, bit for bit") {
  if (cuda_backend() == nullptr) return;
  const auto model = open_model("tiny-llama-tied", std::shared_ptr<Backend>(cuda_backend(), [](Backend*) {}));
  check_gradients("tiny-llama-tied", *model, 2);
}

}  // TEST_SUITE

}  // namespace namesake::test
