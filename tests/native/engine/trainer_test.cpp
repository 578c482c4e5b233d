// The trainer's promises: resume and threads change no bit, rows do not see each other, a step happens whole or not at all.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>

#include "engine/golden.h"

namespace namesake::test {

namespace {

TrainerOptions ten_steps() {
  TrainerOptions options = golden_options();
  options.schedule = Schedule::cosine;
  return options;
}

/// Steps first..last (from 1) of the golden batches, with KL on every third label.
void train(Trainer& trainer, const Golden& golden, std::size_t first, std::size_t last) {
  for (std::size_t s = first; s <= last; ++s) {
    Batch batch = pack(golden.batches[s - 1]);
    batch.kl_weights.assign(batch.ids.size(), 0);
    for (std::size_t i = 0; i < batch.ids.size(); i += 3) batch.kl_weights[i] = 0.01f;
    const StepResult result = must(trainer.step(std::vector<Batch>{batch}));
    CHECK(result.kl > 0);
    CHECK(result.loss == doctest::Approx(result.ce + result.kl));
  }
}

bool same_bits(const std::vector<std::vector<float>>& a, const std::vector<std::vector<float>>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].size() != b[i].size() || std::memcmp(a[i].data(), b[i].data(), a[i].size() * sizeof(float)) != 0) return false;
  }
  return true;
}

const std::string kName = "tiny-llama";

}  // namespace

TEST_CASE("saving after five steps and going on elsewhere gives the bits of ten steps in a row") {
  for (const std::string& name : kGgufModels) {
    const Golden golden = read_golden(name);
    on_each_backend([&](std::shared_ptr<Backend> backend) {
      CAPTURE(name);
      TemporaryFolder folder;
      const auto model = open_model(name, backend);
      const auto whole = golden_adapter(name, *model);
      const auto trainer = must(Trainer::create(model, whole, ten_steps()));
      train(*trainer, golden, 1, 5);
      must(trainer->save_checkpoint(folder / "step-000005", "tiny"));
      CHECK_FALSE(std::filesystem::exists(folder / "step-000005.tmp"));
      train(*trainer, golden, 6, 10);

      const auto resumed = must(Adapter::create(*model, 4, 8, 99, true));
      const auto second = must(Trainer::create(model, resumed, ten_steps()));
      must(second->load_checkpoint(folder / "step-000005"));
      CHECK(second->step_count() == 5);
      train(*second, golden, 6, 10);
      CHECK(second->step_count() == 10);
      CHECK(same_bits(state_of(*whole), state_of(*resumed)));

      must(trainer->save_checkpoint(folder / "a", "tiny"));
      must(second->save_checkpoint(folder / "b", "tiny"));
      for (const char* file : {"adapter_model.safetensors", "adapter_config.json", "optimizer.safetensors", "trainer_state.json"}) {
        CAPTURE(file);
        CHECK(read_text(folder / "a/" + file) == read_text(folder / "b/" + file));
      }
    });
  }
}

TEST_CASE("the adapter's bits do not depend on the number of threads") {
  for (const std::string& name : kGgufModels) {
    const Golden golden = read_golden(name);
    for (const std::string& isa : cpu_isas()) {
      CAPTURE(isa);
      std::vector<std::vector<std::vector<float>>> states;
      for (int threads : {1, 2, 3}) {
        const auto model = open_model(name, must(make_backend(isa, threads)));
        const auto adapter = golden_adapter(name, *model);
        train(*must(Trainer::create(model, adapter, ten_steps())), golden, 1, 3);
        states.push_back(state_of(*adapter));
      }
      CHECK(same_bits(states[0], states[1]));
      CHECK(same_bits(states[0], states[2]));
    }
  }
}

TEST_CASE("activations given back between steps change no bit") {
  const Golden golden = read_golden(kName);
  on_each_backend([&](std::shared_ptr<Backend> backend) {
    const auto model = open_model(kName, backend);
    const auto kept = golden_adapter(kName, *model), released = golden_adapter(kName, *model);
    const auto keeping = must(Trainer::create(model, kept, ten_steps())), releasing = must(Trainer::create(model, released, ten_steps()));
    releasing->release_activations();
    for (std::size_t s = 1; s <= 3; ++s) {
      train(*keeping, golden, s, s);
      train(*releasing, golden, s, s);
      releasing->release_activations();
    }
    CHECK(same_bits(state_of(*kept), state_of(*released)));
  });
}

TEST_CASE("a row has the same loss, bit for bit, alone and packed with others") {
  for (const std::string& name : kGgufModels) {
    const Golden golden = read_golden(name);
    on_each_backend([&](std::shared_ptr<Backend> backend) {
      const auto model = open_model(name, backend);
      const auto adapter = golden_adapter(name, *model);
      // Each row's loss read out of the packed batch by giving the other rows no weight.
      for (std::size_t row = 0; row < golden.batch.ids.size(); ++row) {
        CAPTURE(row);
        Batch packed = pack(golden.batch), alone = pack_row(golden.batch, row);
        packed.kl_weights.assign(packed.ids.size(), 0);
        alone.kl_weights.assign(alone.ids.size(), 0.5f);
        for (std::size_t i = 0; i < packed.ids.size(); ++i) {
          const auto at = static_cast<std::int32_t>(i);
          const bool mine = at >= packed.cu_seqlens[row] && at < packed.cu_seqlens[row + 1];
          packed.ce_weights[i] = mine ? alone.ce_weights[0] : 0;
          packed.kl_weights[i] = mine ? 0.5f : 0;
        }
        const Gradients a = must(gradients(*model, *adapter, std::vector<Batch>{packed}));
        const Gradients b = must(gradients(*model, *adapter, std::vector<Batch>{alone}));
        CHECK(a.result.ce == b.result.ce);
        CHECK(a.result.kl == b.result.kl);
      }
    });
  }
}

TEST_CASE("score: sums over labelled rows, adapter on and off; without an adapter both are the base") {
  for (const std::string& name : kTinyModels) {
    const Golden golden = read_golden(name);
    on_each_backend([&](std::shared_ptr<Backend> backend) {
      const auto model = open_model(name, backend);
      const auto adapter = golden_adapter(name, *model, false);
      const Batch batch = pack(golden.batch);
      const ScoreResult tuned = must(score(*model, adapter.get(), batch)), base = must(score(*model, nullptr, batch));
      std::int64_t labels = 0;
      for (const auto& row : golden.batch.labels) labels += std::count_if(row.begin(), row.end(), [](int l) { return l != -100; });
      CHECK(tuned.labels == labels);
      CHECK(tuned.ce_tuned / double(labels) == doctest::Approx(golden.tensors.at("loss")[0]).epsilon(rounds_products(*model) ? 1e-2 : 1e-5));
      CHECK(tuned.ce_base == base.ce_base);
      CHECK(base.ce_tuned == base.ce_base);
      CHECK(base.kl == 0);
      CHECK(tuned.kl > 0);
    });
  }
}

TEST_CASE("a cancelled step leaves adapter, moments and step as before, and the next one gives the same bits") {
  const Golden golden = read_golden(kName);
  on_each_backend([&](std::shared_ptr<Backend> backend) {
    const auto model = open_model(kName, backend);
    const auto adapter = golden_adapter(kName, *model), twin = golden_adapter(kName, *model);
    const auto trainer = must(Trainer::create(model, adapter, ten_steps()));
    const auto other = must(Trainer::create(model, twin, ten_steps()));
    train(*trainer, golden, 1, 1);
    train(*other, golden, 1, 1);
    const auto before = state_of(*adapter);
    std::atomic<bool> cancel{true};
    trainer->set_cancel(&cancel);
    const Result<StepResult> result = trainer->step(std::vector<Batch>{pack(golden.batches[1])});
    CHECK(result.status().code == Code::cancelled);
    CHECK(same_bits(before, state_of(*adapter)));
    CHECK(trainer->step_count() == 1);
    cancel = false;
    train(*trainer, golden, 2, 2);
    train(*other, golden, 2, 2);
    CHECK(same_bits(state_of(*adapter), state_of(*twin)));
  });
}

TEST_CASE("a loss or gradient that is not finite is training.diverged and changes nothing") {
  const Golden golden = read_golden(kName);
  on_each_backend([&](std::shared_ptr<Backend> backend) {
    const auto model = open_model(kName, backend);
    for (float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(), 3e38f}) {
      CAPTURE(bad);
      const auto adapter = golden_adapter(kName, *model);
      const auto trainer = must(Trainer::create(model, adapter, ten_steps()));
      Trainable& b = adapter->trainables().back();
      REQUIRE(b.name.ends_with("lora_B.weight"));
      b.value[0] = bad;
      const auto before = state_of(*adapter);
      const Result<StepResult> result = trainer->step(std::vector<Batch>{pack(golden.batch)});
      CHECK(result.status().code == Code::training_diverged);
      CHECK(same_bits(before, state_of(*adapter)));
      CHECK(trainer->step_count() == 0);
    }
    // A finite loss whose gradient overflows f32.
    const auto adapter = golden_adapter(kName, *model);
    const auto trainer = must(Trainer::create(model, adapter, ten_steps()));
    Batch batch = pack(golden.batch);
    std::fill(batch.ce_weights.begin(), batch.ce_weights.end(), 3e38f);
    CHECK(trainer->step(std::vector<Batch>{batch}).status().code == Code::training_diverged);
  });
}

TEST_CASE("clipping scales the gradient to the norm asked for; clip 0 leaves it") {
  const Golden golden = read_golden(kName);
  const auto model = open_model(kName, make_reference_backend());
  const std::vector<Batch> batches{pack(golden.batch)};
  TrainerOptions options = ten_steps();
  options.warmup_steps = 0;
  // After one step m = (1 - beta1) * scale * grad.
  struct Norms {
    double reported, applied;
  };
  const auto norms = [&](float clip) {
    options.clip = clip;
    const auto adapter = golden_adapter(kName, *model);
    const double reported = must(must(Trainer::create(model, adapter, options))->step(batches)).grad_norm;
    double sum = 0;
    for (const Trainable& t : adapter->trainables()) {
      for (std::int64_t i = 0; i < t.rows * t.cols; ++i) sum += double(t.m.values[i]) * double(t.m.values[i]);
    }
    return Norms{reported, std::sqrt(sum) / (1 - double(options.beta1))};
  };
  const Norms none = norms(0), tight = norms(0.05f), wide = norms(1e6f);
  CHECK(none.reported > 0.1);
  CHECK(none.applied == doctest::Approx(none.reported).epsilon(1e-5));
  CHECK(tight.reported == none.reported);
  CHECK(tight.applied == doctest::Approx(0.05).epsilon(1e-4));
  CHECK(wide.applied == none.applied);
}

TEST_CASE("loraplus_lr_ratio: B learns at so many times A's rate, which is lr") {
  const Golden golden = read_golden(kName);
  on_each_backend([&](std::shared_ptr<Backend> backend) {
    const auto model = open_model(kName, backend);
    const auto stepped = [&](float lr, float ratio) {
      TrainerOptions options = ten_steps();
      options.lr = lr;
      options.loraplus_lr_ratio = ratio;
      const auto adapter = golden_adapter(kName, *model);
      train(*must(Trainer::create(model, adapter, options)), golden, 1, 1);
      return adapter;
    };
    // The first step's gradients are the same at any rate. Rates and ratio are powers of two, so that their product is exact.
    const auto slow = stepped(0.0078125f, 1), fast = stepped(0.03125f, 1), plus = stepped(0.0078125f, 4);
    const auto slow_state = state_of(*slow, *backend), fast_state = state_of(*fast, *backend), plus_state = state_of(*plus, *backend);
    REQUIRE(plus_state.size() == 3 * plus->trainables().size());
    for (std::size_t i = 0; i < plus->trainables().size(); ++i) {
      const std::string& name = plus->trainables()[i].name;
      CAPTURE(name);
      const bool b = name.ends_with("lora_B.weight");
      CHECK(plus_state[3 * i] == (b ? fast_state : slow_state)[3 * i]);
      CHECK(plus_state[3 * i] != (b ? slow_state : fast_state)[3 * i]);
    }
  });
}

TEST_CASE("loraplus_lr_ratio: a checkpoint of another one is refused; one that does not say had 1") {
  const auto model = open_model(kName, make_reference_backend());
  const TemporaryFolder folder;
  const auto trainer_of = [&](float ratio) {
    TrainerOptions options = ten_steps();
    options.loraplus_lr_ratio = ratio;
    return must(Trainer::create(model, golden_adapter(kName, *model), options));
  };
  const auto plain = trainer_of(1), plus = trainer_of(4);
  must(plus->save_checkpoint(folder / "c", "tiny"));
  const Status refused = plain->load_checkpoint(folder / "c");
  CHECK(refused.code == Code::checkpoint_invalid);
  CHECK(refused.message.find("loraplus_lr_ratio was 4") == 0);
  must(plus->load_checkpoint(folder / "c"));

  must(plain->save_checkpoint(folder / "d", "tiny"));
  forget_field(folder / "d", "loraplus_lr_ratio");
  must(plain->load_checkpoint(folder / "d"));
  CHECK(plus->load_checkpoint(folder / "d").code == Code::checkpoint_invalid);
}

TEST_CASE("schedules: warm-up to the peak, then linear, cosine or constant; steps count from 1") {
  CHECK(schedule_factor(Schedule::linear, 1, 4, 60) == doctest::Approx(0.25));
  CHECK(schedule_factor(Schedule::linear, 4, 4, 60) == doctest::Approx(1));
  CHECK(schedule_factor(Schedule::linear, 32, 4, 60) == doctest::Approx(0.5));
  CHECK(schedule_factor(Schedule::linear, 60, 4, 60) == 0);
  CHECK(schedule_factor(Schedule::cosine, 32, 4, 60) == doctest::Approx(0.5));
  CHECK(schedule_factor(Schedule::cosine, 18, 4, 60) == doctest::Approx(0.5 * (1 + std::sqrt(0.5))));
  CHECK(schedule_factor(Schedule::constant, 60, 4, 60) == 1);
  CHECK(schedule_factor(Schedule::constant, 2, 4, 60) == doctest::Approx(0.5));
  CHECK(schedule_factor(Schedule::linear, 3, 5, 5) == doctest::Approx(0.6));
  CHECK(schedule_factor(Schedule::linear, 70, 4, 60) == 0);
}

TEST_CASE("batches that do not hold together are rows.invalid, and change nothing") {
  const Golden golden = read_golden(kName);
  const auto model = open_model(kName, make_reference_backend());
  const auto adapter = golden_adapter(kName, *model);
  const auto trainer = must(Trainer::create(model, adapter, ten_steps()));
  const auto before = state_of(*adapter);
  const auto refused = [&](const char* what, void (*change)(Batch&)) {
    CAPTURE(what);
    Batch batch = pack(golden.batch);
    change(batch);
    CHECK(trainer->step(std::vector<Batch>{batch}).status().code == Code::rows_invalid);
    CHECK(score(*model, adapter.get(), batch).status().code == Code::rows_invalid);
  };
  refused("no tokens", [](Batch& b) { b = {}; });
  refused("id too large", [](Batch& b) { b.ids[3] = 323; });
  refused("negative id", [](Batch& b) { b.ids[3] = -1; });
  refused("label too large", [](Batch& b) { b.labels[3] = 323; });
  refused("negative label", [](Batch& b) { b.labels[3] = -1; });
  refused("position outside the context", [](Batch& b) { b.positions[3] = 512; });
  refused("negative position", [](Batch& b) { b.positions[3] = -1; });
  refused("labels too few", [](Batch& b) { b.labels.pop_back(); });
  refused("positions too few", [](Batch& b) { b.positions.pop_back(); });
  refused("weights too few", [](Batch& b) { b.ce_weights.pop_back(); });
  refused("kl weights too few", [](Batch& b) { b.kl_weights = {1}; });
  refused("cu_seqlens empty", [](Batch& b) { b.cu_seqlens.clear(); });
  refused("cu_seqlens does not start at 0", [](Batch& b) { b.cu_seqlens[0] = 1; });
  refused("cu_seqlens ends early", [](Batch& b) { b.cu_seqlens.pop_back(); });
  refused("cu_seqlens goes down", [](Batch& b) { b.cu_seqlens[1] = b.cu_seqlens[2] + 1; });
  refused("weight not a number", [](Batch& b) { b.ce_weights[2] = std::numeric_limits<float>::quiet_NaN(); });
  CHECK(trainer->step({}).status().code == Code::rows_invalid);
  CHECK(same_bits(before, state_of(*adapter)));
  CHECK(logits(*model, nullptr, std::vector<std::int32_t>(513, 1)).status().code == Code::context_overflow);
  CHECK(logits(*model, nullptr, {}).status().code == Code::rows_invalid);
}

TEST_CASE("a batch without labels and empty sequences make a step of loss 0") {
  const Golden golden = read_golden(kName);
  on_each_backend([&](std::shared_ptr<Backend> backend) {
    const auto model = open_model(kName, backend);
    const auto adapter = golden_adapter(kName, *model);
    Batch batch = pack(golden.batch);
    batch.cu_seqlens.insert(batch.cu_seqlens.begin(), 2, 0);
    const Gradients with_empty = must(gradients(*model, *adapter, std::vector<Batch>{batch}));
    const Gradients plain = must(gradients(*model, *adapter, std::vector<Batch>{pack(golden.batch)}));
    CHECK(with_empty.result.loss == plain.result.loss);
    std::fill(batch.labels.begin(), batch.labels.end(), -100);
    const Gradients none = must(gradients(*model, *adapter, std::vector<Batch>{batch}));
    CHECK(none.result.loss == 0);
    CHECK(none.result.grad_norm == 0);
  });
}

TEST_CASE("options out of range are recipe.unsupported; an adapter without gradients cannot be trained") {
  const auto model = open_model(kName, make_reference_backend());
  const auto refused = [&](void (*change)(TrainerOptions&)) {
    TrainerOptions options = ten_steps();
    change(options);
    return Trainer::create(model, golden_adapter(kName, *model), options).status().code == Code::recipe_unsupported;
  };
  CHECK(refused([](TrainerOptions& o) { o.lr = -1; }));
  CHECK(refused([](TrainerOptions& o) { o.lr = std::numeric_limits<float>::infinity(); }));
  CHECK(refused([](TrainerOptions& o) { o.beta1 = 1; }));
  CHECK(refused([](TrainerOptions& o) { o.beta2 = -0.1f; }));
  CHECK(refused([](TrainerOptions& o) { o.eps = 0; }));
  CHECK(refused([](TrainerOptions& o) { o.weight_decay = -1; }));
  CHECK(refused([](TrainerOptions& o) { o.clip = -1; }));
  CHECK(refused([](TrainerOptions& o) { o.warmup_steps = -1; }));
  CHECK(refused([](TrainerOptions& o) { o.loraplus_lr_ratio = 0; }));
  CHECK(refused([](TrainerOptions& o) { o.steps = 0; }));
  CHECK(Trainer::create(model, golden_adapter(kName, *model, false), ten_steps()).status().code == Code::internal);
}

}  // namespace namesake::test
