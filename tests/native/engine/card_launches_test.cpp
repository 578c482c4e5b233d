// What a card is given at a time, on the slowest one that is taken: Windows' display driver ends a launch of two seconds, and what is queued
// goes on after a job was cancelled. The work that launches are counted as is held against what the stand-in counts; with it, steps of
// models of everyday width are put together by the engine itself, on a driver that takes their launches and runs none.
#include <filesystem>
#include <numeric>
#include <vector>

#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/cuda_fixture.h"
#include "backend/cuda/fake_machine.h"
#include "backend/cuda/stand_in_counts.h"
#include "engine/golden.h"
#include "formats/temporary_folder.h"

TEST_SUITE_BEGIN("cuda");

namespace namesake::test {

namespace {

struct Told {
  std::string kernel;
  cuda::Work work;
};

/// A model of one layer and a small vocabulary: other layers are as the first, and the head is computed 8,192 tokens at a time.
struct Width {
  bool internlm2;
  std::int64_t hidden, heads, kv_heads, head_dim, ffn;
};

constexpr std::int64_t kVocab = 9000;

/// The model's folder in bf16, all zeros, which takes no room on the disk.
void write_model(const TemporaryFolder& folder, const Width& width) {
  const auto number = [](std::int64_t value) { return std::to_string(value); };
  const auto field = [](const char* name, const std::string& value) { return std::string(",\"") + name + "\":" + value; };
  write_text(folder / "config.json",
             std::string(width.internlm2 ? R"({"model_type":"internlm2","bias":false)" : R"({"model_type":"qwen2","use_sliding_window":false)") +
                 field("vocab_size", number(kVocab)) + field("hidden_size", number(width.hidden)) +
                 field("intermediate_size", number(width.ffn)) + field("num_hidden_layers", "1") +
                 field("num_attention_heads", number(width.heads)) + field("num_key_value_heads", number(width.kv_heads)) +
                 field("max_position_embeddings", "32768") + field("hidden_act", "\"silu\"") + field("rms_norm_eps", "1e-06") +
                 field("rope_theta", "1000000.0") + field("tie_word_embeddings", "false") + "}");
  std::string header = "{";
  std::int64_t end = 0;
  const auto tensor = [&](const std::string& name, std::int64_t rows, std::int64_t cols = 0) {
    const std::int64_t begin = end;
    end += 2 * rows * std::max<std::int64_t>(1, cols);
    header += (begin == 0 ? "\"" : ",\"") + name + R"(":{"dtype":"BF16","shape":[)" + number(rows) + (cols == 0 ? "" : "," + number(cols)) +
              R"(],"data_offsets":[)" + number(begin) + "," + number(end) + "]}";
  };
  const std::int64_t q = width.heads * width.head_dim, kv = width.kv_heads * width.head_dim;
  const std::string layer = "model.layers.0.";
  tensor("model.norm.weight", width.hidden);
  if (width.internlm2) {
    tensor("model.tok_embeddings.weight", kVocab, width.hidden);
    tensor("output.weight", kVocab, width.hidden);
    tensor(layer + "attention_norm.weight", width.hidden);
    tensor(layer + "ffn_norm.weight", width.hidden);
    tensor(layer + "attention.wqkv.weight", q + 2 * kv, width.hidden);
    tensor(layer + "attention.wo.weight", width.hidden, q);
    tensor(layer + "feed_forward.w1.weight", width.ffn, width.hidden);
    tensor(layer + "feed_forward.w3.weight", width.ffn, width.hidden);
    tensor(layer + "feed_forward.w2.weight", width.hidden, width.ffn);
  } else {
    tensor("model.embed_tokens.weight", kVocab, width.hidden);
    tensor("lm_head.weight", kVocab, width.hidden);
    tensor(layer + "input_layernorm.weight", width.hidden);
    tensor(layer + "post_attention_layernorm.weight", width.hidden);
    for (const auto& [name, rows] : {std::pair("q", q), std::pair("k", kv), std::pair("v", kv)}) {
      tensor(layer + "self_attn." + name + "_proj.weight", rows, width.hidden);
      tensor(layer + "self_attn." + name + "_proj.bias", rows);
    }
    tensor(layer + "self_attn.o_proj.weight", width.hidden, q);
    tensor(layer + "mlp.gate_proj.weight", width.ffn, width.hidden);
    tensor(layer + "mlp.up_proj.weight", width.ffn, width.hidden);
    tensor(layer + "mlp.down_proj.weight", width.hidden, width.ffn);
  }
  header += "}";
  std::string length(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) length[i] = static_cast<char>(header.size() >> 8 * i);
  write_text(folder / "model.safetensors", length + header);
  std::filesystem::resize_file(folder / "model.safetensors", 8 + header.size() + static_cast<std::uintmax_t>(end));
}

/// One sequence of `tokens` tokens that are all learnt, half of them with KL.
Batch batch_of(std::int64_t tokens) {
  Batch batch;
  const auto count = static_cast<std::size_t>(tokens);
  batch.ids.assign(count, 7);
  batch.labels = batch.ids;
  batch.positions.resize(count);
  std::iota(batch.positions.begin(), batch.positions.end(), 0);
  batch.cu_seqlens = {0, static_cast<std::int32_t>(tokens)};
  batch.ce_weights.assign(count, 1.0f / static_cast<float>(tokens));
  batch.kl_weights.assign(count, 0);
  std::fill_n(batch.kl_weights.begin(), count / 2, 0.1f / static_cast<float>(tokens));
  return batch;
}

/// The slowest launch of a step, and the most that was queued at a time, in seconds on the slowest card.
struct Slowest {
  std::string kernel;
  double launch = 0, queued = 0;
};

Slowest slowest_of(const Width& width, std::int64_t rank, std::int64_t tokens) {
  const TemporaryFolder folder;
  write_model(folder, width);
  const FakeMachine machine("takes launches");
  const std::shared_ptr<Backend> backend = must(cuda::make_cuda_backend(machine.driver()));
  const auto model = must(Model::open(folder.path(), Precision::as_stored, backend));
  const auto adapter = must(Adapter::create(*model, rank, 2 * rank, 1, true));
  TrainerOptions options;
  options.batch_tokens = tokens;
  options.recompute = true;
  const auto trainer = must(Trainer::create(model, adapter, options));
  Slowest slowest;
  std::vector<double> seconds;
  auto& card = dynamic_cast<cuda::CudaBackend&>(*backend);
  card.watch_launches([&](const cuda::KernelName& kernel, const cuda::Work& work) {
    seconds.push_back(cuda::most_seconds(work));
    if (seconds.back() > slowest.launch) slowest = {kernel.name, seconds.back(), slowest.queued};
    const auto queued = static_cast<std::ptrdiff_t>(std::min<std::size_t>(seconds.size(), static_cast<std::size_t>(machine.launches_ahead()) + 1));
    slowest.queued = std::max(slowest.queued, std::accumulate(seconds.end() - queued, seconds.end(), 0.0));
  });
  const std::vector<Batch> step(1, batch_of(tokens));
  must(trainer->step(step));
  CHECK(seconds.size() > 100);
  return slowest;
}

}  // namespace

TEST_CASE("cuda: no launch of a step takes 0.3 seconds on the slowest card, nor what is queued a second") {
  constexpr Width internlm2_1_8b{true, 2048, 16, 8, 128, 8192}, qwen2_1_5b{false, 1536, 12, 2, 128, 8960}, qwen2_7b{false, 3584, 28, 4, 128, 18944};
  const struct {
    std::string what;
    Width width;
    std::int64_t rank, tokens;
  } settings[] = {{"InternLM2-1.8B r64, 1024 tokens", internlm2_1_8b, 64, 1024},
                  {"Qwen2.5-1.5B r16, 2048 tokens", qwen2_1_5b, 16, 2048},
                  {"Qwen2.5-7B r16, 2048 tokens", qwen2_7b, 16, 2048},
                  {"Qwen2.5-1.5B r16, one conversation of 32,768 tokens", qwen2_1_5b, 16, 32768}};
  for (const auto& setting : settings) {
    const Slowest slowest = slowest_of(setting.width, setting.rank, setting.tokens);
    INFO(setting.what, ": ", slowest.kernel, " ", slowest.launch, " s, queued ", slowest.queued, " s");
    MESSAGE(setting.what << ", by the count: " << slowest.kernel << " " << slowest.launch << " s, queued " << slowest.queued << " s");
    CHECK(slowest.launch < 0.3);
    CHECK(slowest.queued < 1);
  }
}

TEST_CASE("cuda: launches are counted as the work that they do") {
  if (cuda_backend() == nullptr || !StandIn::there()) return;
  const std::shared_ptr<Backend> backend(cuda_backend(), [](Backend*) {});
  auto& card = dynamic_cast<cuda::CudaBackend&>(*backend);
  for (const std::string name : {"tiny-llama", "tiny-internlm2"}) {
    const auto model = open_model(name, backend);
    const auto adapter = must(Adapter::create(*model, 4, 8, 1, true));
    const auto trainer = must(Trainer::create(model, adapter, TrainerOptions{}));
    std::vector<Told> told;
    card.watch_launches([&](const cuda::KernelName& kernel, const cuda::Work& work) { told.push_back({kernel.name, work}); });
    const std::vector<Batch> step(1, batch_of(70));
    const std::vector<CountedLaunch> counted = launches_of([&] { must(trainer->step(step)); });
    card.watch_launches({});
    REQUIRE(counted.size() == told.size());
    for (std::size_t i = 0; i < told.size(); ++i) {
      const auto& [kernel, work] = told[i];
      const LaunchCounts& counts = counted[i].counts;
      INFO(name, ", launch ", i, ": ", kernel, ", counted as ", work.flop, " FLOP, ", work.bytes, " bytes");
      REQUIRE(kernel == counted[i].kernel);
      const double flop = double(counts.mma_flop), bytes = double(counts.global_load_bytes + counts.global_store_bytes);
      if (kernel.starts_with("gemm_")) {
        CHECK(flop == work.flop);
      } else if (work.flop > 0) {
        CHECK(flop <= work.flop);
        CHECK(flop >= work.flop / 4);
      } else {
        CHECK(flop == 0);
        CHECK(bytes <= 1.5 * work.bytes + 4096);
      }
    }
  }
}

}  // namespace namesake::test

TEST_SUITE_END();
