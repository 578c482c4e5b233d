// The memory plan: arenas are of the size that was planned, nothing grows beyond them, and recomputing changes no bit.
#include "namesake/memory.h"

#include <cstring>
#include <tuple>

#include "engine/activations.h"
#include "engine/arena.h"
#include "engine/golden.h"
#include "engine/loss.h"
#include "engine/memory_plan.h"
#include "engine/packed.h"

namespace namesake::test {

namespace {

TrainerOptions options_for(std::int64_t batch_tokens, std::optional<bool> recompute) {
  TrainerOptions options;
  options.lr = 1e-2f;
  options.steps = 10;
  options.batch_tokens = batch_tokens;
  options.recompute = recompute;
  return options;
}

/// A golden batch with KL on every third label; every second time all its sequences begin alike.
Batch batch_of(const Golden& golden, std::size_t step) {
  Batch batch = pack(golden.batches[step]);
  batch.kl_weights.assign(batch.ids.size(), 0);
  for (std::size_t i = 0; i < batch.ids.size(); i += 3) batch.kl_weights[i] = 0.01f;
  if (step % 2 == 1) {
    Batch twice = batch;
    const auto tokens = static_cast<std::int32_t>(batch.ids.size());
    const auto append = [](auto& to, const auto& from) { to.insert(to.end(), from.begin(), from.end()); };
    append(twice.ids, batch.ids);
    append(twice.labels, batch.labels);
    append(twice.positions, batch.positions);
    append(twice.ce_weights, batch.ce_weights);
    append(twice.kl_weights, batch.kl_weights);
    for (std::size_t s = 1; s < batch.cu_seqlens.size(); ++s) twice.cu_seqlens.push_back(batch.cu_seqlens[s] + tokens);
    batch = twice;
    // One long sequence twice: its first half is a shared prefix without a label.
    batch.cu_seqlens = {0, tokens, 2 * tokens};
    for (std::int32_t i = 0; i < 2 * tokens; ++i) {
      const auto at = static_cast<std::size_t>(i);
      batch.positions[at] = i % tokens;
      if (i % tokens < tokens / 2) {
        batch.labels[at] = -100;
        batch.ce_weights[at] = batch.kl_weights[at] = 0;
      }
    }
  }
  return batch;
}

std::int64_t most_tokens(const Golden& golden) {
  std::size_t most = 0;
  for (std::size_t s = 0; s < golden.batches.size(); ++s) most = std::max(most, batch_of(golden, s).ids.size());
  return static_cast<std::int64_t>(most);
}

/// The adapter's state after four steps.
std::vector<std::vector<float>> trained(const std::shared_ptr<Model>& model, const Golden& golden, bool recompute, int activation_bits) {
  TrainerOptions options = options_for(most_tokens(golden), recompute);
  options.activation_bits = activation_bits;
  const auto arena = must(reserve_training(*model, 4, options));
  const auto adapter = must(Adapter::create(*model, 4, 8, 7, true, arena));
  const auto trainer = must(Trainer::create(model, adapter, options, arena));
  for (std::size_t s = 0; s < 4; ++s) must(trainer->step(std::vector<Batch>{batch_of(golden, s)}));
  return state_of(*adapter);
}

}  // namespace

TEST_CASE("an arena hands out cache lines by name, and no byte beyond its plan") {
  on_each_backend([](std::shared_ptr<Backend> backend) {
    Arena arena(backend);
    must(arena.reserve(Arena::padded(100) + Arena::padded(64), "a test"));
    CHECK(arena.capacity() == 192);
    float *first = nullptr, *second = nullptr, *third = nullptr;
    must(arena.take(first, 100, "first"));
    must(arena.take(second, 64, "second"));
    CHECK(reinterpret_cast<std::uintptr_t>(first) % 64 == 0);
    CHECK(second == first + 32);
    CHECK(arena.used() == arena.capacity());
    const Status beyond = arena.take(third, 1, "third");
    CHECK(beyond.code == Code::internal);
    CHECK(beyond.message.find("third") != std::string::npos);
    CHECK(third == nullptr);
  });
}

TEST_CASE("more than the machine has is refused with both numbers, and nothing is allocated") {
  on_each_backend([](std::shared_ptr<Backend> backend) {
    Arena arena(backend);
    const Status status = arena.reserve(std::size_t{1} << 50, "a test");
    CHECK(status.code == Code::memory_insufficient);
    CHECK(status.needed == std::uint64_t{1} << 50);
    CHECK(status.available > 0);
    CHECK(status.available < status.needed);
    CHECK(arena.capacity() == 0);
  });
  const auto model = open_model("tiny-llama", make_reference_backend());
  TrainerOptions options = options_for(kMostBatchTokens, {});
  const auto training = reserve_training(*model, 1024, options);
  REQUIRE_FALSE(training.ok());
  CHECK(training.status().code == Code::memory_insufficient);
  CHECK(training.status().needed > training.status().available);
}

TEST_CASE("a training takes all of its arena and nothing else: steps, kept or recomputed, fit into what was planned") {
  for (const std::string& name : kGgufModels) {
    const Golden golden = read_golden(name);
    on_each_backend([&](std::shared_ptr<Backend> backend) {
      const auto model = open_model(name, backend);
      for (bool recompute : {false, true}) {
        TrainerOptions options = options_for(most_tokens(golden), recompute);
        const TrainingMemory plan = plan_training(model->config(), *backend, 4, BatchRoom::plain(options.batch_tokens), recompute, 0);
        CHECK(plan.recompute == recompute);
        const auto arena = must(reserve_training(*model, 4, options));
        CHECK(arena->capacity() == plan.total());
        const auto adapter = must(Adapter::create(*model, 4, 8, 7, true, arena));
        const auto trainer = must(Trainer::create(model, adapter, options, arena));
        CHECK(arena->used() == plan.total());
        for (std::size_t s = 0; s < 4; ++s) must(trainer->step(std::vector<Batch>{batch_of(golden, s)}));
        CHECK(arena->used() == plan.total());
      }
    });
  }
}

TEST_CASE("a batch beyond the plan is refused and changes nothing") {
  const Golden golden = read_golden("tiny-llama");
  on_each_backend([&](std::shared_ptr<Backend> backend) {
    const auto model = open_model("tiny-llama", backend);
    const Batch batch = batch_of(golden, 0);
    TrainerOptions options = options_for(static_cast<std::int64_t>(batch.ids.size()) - 1, false);
    const auto adapter = golden_adapter("tiny-llama", *model);
    const auto before = state_of(*adapter);
    const auto trainer = must(Trainer::create(model, adapter, options));
    const auto step = trainer->step(std::vector<Batch>{batch});
    REQUIRE_FALSE(step.ok());
    CHECK(step.status().code == Code::internal);
    CHECK(state_of(*adapter) == before);
    CHECK(trainer->step_count() == 0);
  });
}

TEST_CASE("a batch whose sequences begin alike needs room for what is computed of it, gives the same bits in it, and no less will do") {
  const Golden golden = read_golden("tiny-llama");
  on_each_backend([&](std::shared_ptr<Backend> backend) {
    const auto model = open_model("tiny-llama", backend);
    const Batch batch = batch_of(golden, 1);
    const Packed packed = namesake::pack(batch.ids, batch.positions, batch.cu_seqlens, loss_rows(batch).row);
    REQUIRE(packed.tokens() < packed.expanded());
    const auto train = [&](std::int64_t packed_tokens) {
      TrainerOptions options = options_for(packed.expanded(), false);
      options.packed_tokens = packed_tokens;
      const auto arena = must(reserve_training(*model, 4, options));
      const auto adapter = must(Adapter::create(*model, 4, 8, 7, true, arena));
      const auto trainer = must(Trainer::create(model, adapter, options, arena));
      const auto step = trainer->step(std::vector<Batch>{batch});
      if (!step.ok()) CHECK(step.status().code == Code::internal);
      return std::tuple(step.ok(), arena->capacity(), state_of(*adapter));
    };
    const auto [done, all, state] = train(0);
    const auto [done_too, fewer, state_too] = train(packed.tokens());
    REQUIRE(done);
    REQUIRE(done_too);
    CHECK(state == state_too);
    CHECK(fewer < all);
    CHECK_FALSE(std::get<0>(train(packed.tokens() - 1)));
    TrainerOptions options = options_for(10, false);
    options.packed_tokens = 11;
    CHECK(reserve_training(*model, 4, options).status().code == Code::recipe_unsupported);
  });
}

TEST_CASE("activations kept or computed again: the same bits of adapter and moments, and less memory") {
  for (const std::string& name : kGgufModels) {
    const Golden golden = read_golden(name);
    on_each_backend([&](std::shared_ptr<Backend> backend) {
      CAPTURE(name);
      const auto model = open_model(name, backend);
      for (const int bits : {32, 16}) {
        // Where norms of heads or a fused layer stand between.
        if (bits == 16 && name != "tiny-qwen3" && name != "tiny-internlm2") continue;
        CAPTURE(bits);
        const auto kept = trained(model, golden, false, bits), again = trained(model, golden, true, bits);
        REQUIRE(kept.size() == again.size());
        for (std::size_t i = 0; i < kept.size(); ++i) {
          CHECK(std::memcmp(kept[i].data(), again[i].data(), kept[i].size() * sizeof(float)) == 0);
        }
        CHECK(Activations::bytes(model->config(), 4, {Keep::inputs, bits == 16}, BatchRoom::plain(64)) <
              Activations::bytes(model->config(), 4, {Keep::all, bits == 16}, BatchRoom::plain(64)));
      }
    });
  }
}

TEST_CASE("layers are recomputed where keeping them does not fit, and only there") {
  const auto model = open_model("tiny-llama", make_reference_backend());
  const auto plan = [&](std::optional<bool> recompute, std::uint64_t available) {
    return plan_training(model->config(), model->backend(), 4, BatchRoom::plain(256), recompute, available);
  };
  const std::size_t kept = plan(false, 0).total(), again = plan(true, 0).total();
  CHECK(again < kept);
  CHECK_FALSE(plan({}, kept).recompute);
  CHECK(plan({}, kept - 1).recompute);
  CHECK(plan({}, kept - 1).total() == again);
  CHECK_FALSE(plan(false, 1).recompute);
  CHECK(plan(true, kept).recompute);
}

TEST_CASE("scratch is what the largest op needs: a byte less does not do") {
  const auto backend = std::shared_ptr<Backend>(must(make_cpu_backend("scalar", 2)));
  const auto model = open_model("tiny-llama", backend);
  const Config& config = model->config();
  Workload work;
  work.hidden = work.ffn = config.hidden;
  work.heads = work.kv_heads = 1;
  work.head_dim = config.hidden;
  work.rows = work.ffn_rows = 40;
  work.sequence = 1;
  const std::size_t bytes = backend->scratch_bytes(work);
  std::vector<float> memory(bytes / sizeof(float)), x(static_cast<std::size_t>(40 * config.hidden), 1.0f), y(x.size());
  const Matrix& w = model->weights().layers[0].q;
  const auto run = [&](std::size_t lent) {
    const ScratchScope scope(*backend, reinterpret_cast<std::byte*>(memory.data()), lent);
    return backend->linear_forward(w, nullptr, nullptr, x.data(), 40, nullptr, y.data(), nullptr, Phase::prefill).code;
  };
  // Attention of one row a sequence needs more than the linear layers of such a model.
  std::size_t least = bytes;
  while (least > 64 && run(least - 64) == Code::ok) least -= 64;
  CHECK(run(bytes) == Code::ok);
  CHECK(run(least) == Code::ok);
  CHECK(run(least - 64) == Code::internal);
  CHECK(least >= static_cast<std::size_t>(40 * config.hidden) * sizeof(float));
}

TEST_CASE("scratch counts a fused q/k/v layer, which may be wider than any other") {
  const auto backend = std::shared_ptr<Backend>(must(make_cpu_backend("scalar", 2)));
  Workload work;
  work.hidden = work.ffn = 32;
  work.heads = work.kv_heads = 4;
  work.head_dim = 32;
  work.rank = 256;
  work.rows = work.ffn_rows = 4;
  work.sequence = 1;
  work.backward = true;
  const std::size_t apart = backend->scratch_bytes(work);
  work.fused_qkv = true;
  const std::size_t fused = backend->scratch_bytes(work);
  const std::int64_t N = 3 * 4 * 32, K = 32, R = 256, M = 4;
  const auto floats = [](std::int64_t n) { return std::vector<float>(static_cast<std::size_t>(n), 0.5f); };
  const std::vector<float> w = floats(N * K), a = floats(R * K), b = floats(N * R), x = floats(M * K), xa = floats(M * R), dy = floats(M * N);
  std::vector<float> dx = floats(M * K), da = floats(R * K), db = floats(N * R), memory(fused / sizeof(float));
  const auto run = [&](std::size_t lent) {
    const ScratchScope scope(*backend, reinterpret_cast<std::byte*>(memory.data()), lent);
    const LoraView lora{a.data(), b.data(), R, 1, nullptr};
    const Matrix matrix{BlockType::f32, N, K, reinterpret_cast<const std::byte*>(w.data())};
    return backend->linear_backward(matrix, &lora, x.data(), xa.data(), dy.data(), M, false, dx.data(), da.data(), db.data()).code;
  };
  CHECK(fused > apart);
  CHECK(run(fused) == Code::ok);
  CHECK(run(apart) == Code::internal);
}

TEST_CASE("scratch of products in bf16 is smaller where no matrix is f32, and a cache line less does not do") {
  for (const std::string& isa : cpu_isas()) {
    if (!rounds_products(isa)) continue;
    CAPTURE(isa);
    const std::shared_ptr<Backend> backend = must(make_backend(isa, 2));
    Workload work;
    work.hidden = work.ffn = 33;
    work.heads = work.kv_heads = 1;
    work.head_dim = 1;
    work.rank = 255;
    work.rows = work.ffn_rows = 40;
    work.sequence = 1;
    work.backward = true;
    const std::size_t f32 = backend->scratch_bytes(work);
    work.f32_matrices = false;
    const std::size_t bf16 = backend->scratch_bytes(work);
    const std::int64_t N = 33, K = 33, R = 255, M = 40;
    const auto floats = [](std::int64_t n) { return std::vector<float>(static_cast<std::size_t>(n), 0.5f); };
    const std::vector<float> w = floats(N * K), a = floats(R * K), b = floats(N * R), x = floats(M * K), xa = floats(M * R), dy = floats(M * N);
    std::vector<float> dx = floats(M * K), da = floats(R * K), db = floats(N * R), memory(f32 / sizeof(float));
    const auto run = [&](BlockType type, std::size_t lent) {
      const ScratchScope scope(*backend, reinterpret_cast<std::byte*>(memory.data()), lent);
      const LoraView lora{a.data(), b.data(), R, 1, nullptr};
      const Matrix matrix{type, N, K, reinterpret_cast<const std::byte*>(w.data())};
      return backend->linear_backward(matrix, &lora, x.data(), xa.data(), dy.data(), M, false, dx.data(), da.data(), db.data()).code;
    };
    CHECK(bf16 < f32);
    CHECK(run(BlockType::bf16, bf16) == Code::ok);
    CHECK(run(BlockType::bf16, bf16 - 64) == Code::internal);
    CHECK(run(BlockType::f32, bf16) == Code::internal);
    CHECK(run(BlockType::f32, f32) == Code::ok);
    CHECK(run(BlockType::f32, f32 - 64) == Code::internal);
  }
  // Whether there is one is known of a file.
  const std::shared_ptr<Backend> backend = must(make_cpu_backend("auto", 2));
  CHECK_FALSE(must(shape_of_file(fixture("tiny-llama.gguf"), Precision::as_stored)).config.f32_matrices);
  CHECK(must(shape_of_file(fixture("tiny-llama.gguf"), Precision::f32)).config.f32_matrices);
  CHECK_FALSE(open_model("tiny-llama", backend)->config().f32_matrices);
  CHECK(open_model("tiny-llama", backend, Precision::f32)->config().f32_matrices);
}

TEST_CASE("what a model holds beside its file is planned to the byte, from the file and from shapes") {
  const auto backend = std::shared_ptr<Backend>(make_reference_backend());
  for (const std::string& name : kGgufModels) {
    const auto stored = open_model(name, backend);
    const auto count = [&](Precision precision) {
      const Config& c = stored->config();
      std::size_t bytes = 2 * Arena::padded(static_cast<std::size_t>(c.context * c.head_dim / 2) * sizeof(float));
      const auto add = [&](const Matrix& matrix, bool linear) {
        const auto to = converted_type(precision, linear);
        if (to == BlockType::nf4 && matrix.cols % 64 != 0) return;
        if (to && *to != matrix.type) bytes += converted_bytes(matrix.rows, matrix.cols, *to);
      };
      add(stored->weights().embedding, false);
      if (!c.tied) add(stored->weights().head, false);
      for (const LayerWeights& l : stored->weights().layers) {
        for (const Matrix* matrix : {&l.q, &l.k, &l.v, &l.o, &l.gate, &l.up, &l.down}) {
          if (matrix->data) add(*matrix, true);
        }
        // Put together from three tensors: a copy in any precision.
        if (l.qkv.data) bytes += converted_bytes(l.qkv.rows, l.qkv.cols, converted_type(precision, true).value_or(l.qkv.type));
        if (precision == Precision::as_stored) continue;
        const auto add_vector = [&](const float* vector, std::int64_t size) {
          if (vector) bytes += converted_bytes(1, size, BlockType::f32);
        };
        for (const float* norm : {l.attn_norm, l.ffn_norm}) add_vector(norm, c.hidden);
        for (const float* norm : {l.q_norm, l.k_norm}) add_vector(norm, c.head_dim);
        add_vector(l.q_bias, c.heads * c.head_dim);
        for (const float* bias : {l.k_bias, l.v_bias}) add_vector(bias, c.kv_heads * c.head_dim);
      }
      if (precision != Precision::as_stored) bytes += converted_bytes(1, c.hidden, BlockType::f32);
      return bytes;
    };
    for (Precision precision : {Precision::as_stored, Precision::f32, Precision::bf16, Precision::nf4}) {
      const ModelShape shape = must(shape_of_file(fixture(name + ".gguf"), precision));
      CHECK(shape.resident == count(precision));
      CHECK(shape.config.hidden == stored->config().hidden);
      // Pages of the file's matrices go where they are copied; what is plain in the file is neither copied nor given back.
      std::uint64_t given_back = 0;
      const auto copied = [&](const Matrix& matrix, bool linear) {
        const auto to = converted_type(precision, linear);
        if (to == BlockType::nf4 && matrix.cols % 64 != 0) return;
        if (to && *to != matrix.type) given_back += static_cast<std::uint64_t>(matrix.rows * row_bytes(matrix.type, matrix.cols));
      };
      copied(stored->weights().embedding, false);
      if (!stored->config().tied) copied(stored->weights().head, false);
      for (const LayerWeights& l : stored->weights().layers) {
        for (const Matrix* matrix : {&l.q, &l.k, &l.v, &l.o, &l.gate, &l.up, &l.down}) {
          if (matrix->data) copied(*matrix, true);
        }
        if (l.qkv.data) given_back += static_cast<std::uint64_t>(l.qkv.rows * row_bytes(l.qkv.type, l.qkv.cols));
      }
      CHECK(shape.mapped == shape.file_bytes - given_back);
      const ModelShape guessed = must(shape_of_config(shape.config, shape.file_bytes, precision));
      if (name == "tiny-llama") CHECK(guessed.resident == shape.resident);
      CHECK(guessed.resident >= shape.resident);
    }
  }
}

TEST_CASE("a plan adds up, and its parts are those of the arenas") {
  const auto backend = std::shared_ptr<Backend>(must(make_cpu_backend("auto", 2)));
  const ModelShape shape = must(shape_of_file(fixture("tiny-llama.gguf"), Precision::as_stored));
  MemoryOptions options;
  options.rank = 4;
  options.batch_tokens = 256;
  options.process = 1000;
  const MemoryPlan steps = must(plan_memory(shape, *backend, options));
  CHECK(steps.training.total() == plan_training(shape.config, *backend, 4, BatchRoom::plain(256), false, 0).total());
  CHECK(steps.total == shape.file_bytes + shape.resident + steps.training.total() + 1000);
  CHECK(steps.fits);
  options.slots = 32;
  options.answer_tokens = 2000;
  const MemoryPlan asked = must(plan_memory(shape, *backend, options));
  CHECK(asked.between_steps > asked.training.activations + asked.training.scratch);
  CHECK(asked.total == steps.total - steps.training.activations - steps.training.scratch + asked.between_steps);
  options.rank = 1025;
  CHECK(plan_memory(shape, *backend, options).status().code == Code::recipe_unsupported);
  Config config = shape.config;
  config.kv_heads = 0;
  CHECK(shape_of_config(config, 0, Precision::as_stored).status().code == Code::model_invalid);
}

}  // namespace namesake::test
