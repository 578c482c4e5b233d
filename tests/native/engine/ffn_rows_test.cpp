// A batch of more tokens than the FFN takes at a time.
#include "engine/activations.h"
#include "engine/arena.h"
#include "engine/golden.h"

namespace namesake::test {

namespace {

/// `sequences` of 50 tokens each, no two of which begin alike.
Batch batch_of(std::int32_t first, std::int32_t sequences) {
  Batch batch;
  batch.cu_seqlens = {0};
  for (std::int32_t s = first; s < first + sequences; ++s) {
    for (std::int32_t i = 0; i < 50; ++i) {
      batch.ids.push_back(20 + (s * 61 + i * 37) % 200);
      batch.positions.push_back(i);
      batch.labels.push_back(i % 3 == 0 ? -100 : batch.ids.back());
      batch.ce_weights.push_back(i % 3 == 0 ? 0 : 0.002f);
    }
    batch.cu_seqlens.push_back(static_cast<std::int32_t>(batch.ids.size()));
  }
  batch.kl_weights = batch.ce_weights;
  return batch;
}

}  // namespace

TEST_CASE("a batch that the FFN takes in slices has the losses and gradients of its parts") {
  constexpr std::int32_t kAll = 45, kPart = 20;  // 2,250 tokens: two whole slices and a part of one; parts of 1,000 and 1,250
  static_assert(kPart * 50 < kFfnRows && kAll * 50 > 2 * kFfnRows && kAll * 50 % kFfnRows != 0);
  const std::vector<Batch> whole{batch_of(0, kAll)}, parts{batch_of(0, kPart), batch_of(kPart, kAll - kPart)};
  for (const std::string name : {"tiny-llama", "tiny-internlm2"}) {
    on_each_backend([&](std::shared_ptr<Backend> backend) {
      CAPTURE(name);
      const auto model = open_model(name, backend);
      const auto adapter = golden_adapter(name, *model);
      const Gradients sliced = must(gradients(*model, *adapter, whole)), apart = must(gradients(*model, *adapter, parts));
      CHECK(sliced.result.loss == doctest::Approx(apart.result.loss).epsilon(1e-6));
      REQUIRE(sliced.tensors.size() == apart.tensors.size());
      for (std::size_t t = 0; t < sliced.tensors.size(); ++t) {
        CAPTURE(sliced.tensors[t].first);
        // In bf16 a sum of gradients is rounded where its terms were.
        CHECK(relative_l2(sliced.tensors[t].second, apart.tensors[t].second) <= (rounds_products(*model) ? 1e-2 : 1e-5));
      }
    });
  }
}

TEST_CASE("a sliced FFN that is computed again gives the bits of one that is kept, in less memory") {
  const std::vector<Batch> batch{batch_of(0, 45)};
  const auto tokens = static_cast<std::int64_t>(batch[0].ids.size());
  on_each_backend([&](std::shared_ptr<Backend> backend) {
    const auto model = open_model("tiny-qwen3", backend);
    const auto train = [&](bool recompute, int activation_bits) {
      TrainerOptions options;
      options.activation_bits = activation_bits;
      options.steps = 2;
      options.batch_tokens = tokens;
      options.recompute = recompute;
      const auto arena = must(reserve_training(*model, 4, options));
      const auto adapter = must(Adapter::create(*model, 4, 8, 7, true, arena));
      const auto trainer = must(Trainer::create(model, adapter, options, arena));
      for (int s = 0; s < (activation_bits == 32 ? 2 : 1); ++s) must(trainer->step(batch));
      return std::pair(state_of(*adapter), arena->capacity());
    };
    for (const int bits : {32, 16}) {
      const auto [kept, kept_bytes] = train(false, bits);
      const auto [again, again_bytes] = train(true, bits);
      CHECK(again == kept);
      CHECK(again_bytes < kept_bytes);
    }
  });
}

}  // namespace namesake::test
