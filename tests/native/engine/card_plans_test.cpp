// What a card needs for models of everyday size, by their shapes: each of these settings must leave room on a card of 8 GB.
#include "backend/cuda/cuda_fixture.h"
#include "engine/golden.h"
#include "namesake/memory.h"

TEST_SUITE_BEGIN("cuda");

namespace namesake::test {

namespace {

constexpr double kGB = 1e9;

/// A Qwen2.5 of these sizes; the rest of its shape is the family's.
Config qwen2(std::int64_t hidden, std::int64_t heads, std::int64_t kv_heads, std::int64_t ffn, std::int64_t vocab, bool tied) {
  Config config;
  config.architecture = "qwen2";
  set_family(config, Family::qwen2);
  config.hidden = hidden;
  config.layers = 28;
  config.heads = heads;
  config.kv_heads = kv_heads;
  config.head_dim = 128;
  config.ffn = ffn;
  config.vocab = vocab;
  config.context = 32768;
  config.tied = tied;
  return config;
}

Config internlm2_1_8b() {
  Config config;
  config.architecture = "internlm2";
  set_family(config, Family::internlm2);
  config.hidden = 2048;
  config.layers = 24;
  config.heads = 16;
  config.kv_heads = 8;
  config.head_dim = 128;
  config.ffn = 8192;
  config.vocab = 92544;
  config.context = 32768;
  return config;
}

/// Of nf4 out of a bf16 folder of so many bytes, layers computed again.
MemoryPlan plan_of(const Config& config, std::uint64_t file_bytes, std::int64_t rank, std::int64_t batch_tokens, int state_bits) {
  const ModelShape shape = must(shape_of_config(config, file_bytes, Precision::nf4, false));
  MemoryOptions options;
  options.rank = rank;
  options.batch_tokens = batch_tokens;
  options.recompute = true;
  options.state_bits = state_bits;
  return must(plan_memory(shape, *cuda_backend(), options));
}

}  // namespace

TEST_CASE("cuda: 1.5 to 7 billion weights are trained within the memory of everyday cards") {
  if (cuda_backend() == nullptr) return;
  struct Setting {
    const char* what;
    Config config;
    std::uint64_t file_bytes;
    std::int64_t rank, batch_tokens;
    int state_bits;
    double most;
  };
  const Setting settings[] = {
      {"InternLM2-1.8B r64, 1024 tokens", internlm2_1_8b(), 3'780'000'000, 64, 1024, 32, 3.2 * kGB},
      {"Qwen2.5-1.5B r16, 2048 tokens", qwen2(1536, 12, 2, 8960, 151936, true), 3'090'000'000, 16, 2048, 32, 2.4 * kGB},
      {"Qwen2.5-7B r16, 2048 tokens, 8-bit states", qwen2(3584, 28, 4, 18944, 152064, false), 15'230'000'000, 16, 2048, 8, 6.5 * kGB},
  };
  for (const Setting& s : settings) {
    const MemoryPlan plan = plan_of(s.config, s.file_bytes, s.rank, s.batch_tokens, s.state_bits);
    MESSAGE(s.what << ": " << static_cast<double>(plan.total) / kGB << " GB on the card");
    CHECK(static_cast<double>(plan.total) <= s.most);
  }
}

}  // namespace namesake::test

TEST_SUITE_END();
