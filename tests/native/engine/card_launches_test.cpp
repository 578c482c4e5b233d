// What a card is given at a time, on the slowest one that is taken: Windows' display driver ends a launch of two seconds, and what is queued
// goes on after a job was cancelled. The work that launches are counted as is held against what the stand-in counts; with it, steps of
// models of everyday width are put together by the engine itself, on a driver that takes their launches and runs none.
#include <numeric>
#include <vector>

#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/cuda_fixture.h"
#include "backend/cuda/fake_machine.h"
#include "backend/cuda/stand_in_counts.h"
#include "engine/everyday_models.h"
#include "engine/golden.h"
#include "formats/temporary_folder.h"

TEST_SUITE_BEGIN("cuda");

namespace namesake::test {

namespace {

struct Told {
  std::string kernel;
  cuda::Work work;
};

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

/// Of one layer and a small vocabulary: other layers are as the first, and the head is computed 8,192 tokens at a time.
Slowest slowest_of(const EverydayTraining& training) {
  const TemporaryFolder folder;
  Config config = training.config;
  config.layers = 1;
  config.vocab = 9000;
  config.tied = false;
  write_zero_model(folder.path(), config);
  const FakeMachine machine("takes launches");
  const std::shared_ptr<Backend> backend = must(cuda::make_cuda_backend(machine.driver()));
  const auto model = must(Model::open(folder.path(), Precision::as_stored, backend));
  const auto adapter = must(Adapter::create(*model, training.rank, 2 * static_cast<float>(training.rank), 1, true, nullptr, training.state_bits));
  TrainerOptions options;
  options.batch_tokens = training.batch_tokens;
  options.state_bits = training.state_bits;
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
  const std::vector<Batch> step(1, batch_of(training.batch_tokens));
  must(trainer->step(step));
  CHECK(seconds.size() > 100);
  return slowest;
}

}  // namespace

TEST_CASE("cuda: no launch of a step takes 0.3 seconds on the slowest card, nor what is queued a second") {
  std::vector<EverydayTraining> trainings = everyday_trainings();
  trainings.push_back(trainings[1]);
  trainings.back().what = "Qwen2.5-1.5B r16, one conversation of 32,768 tokens";
  trainings.back().batch_tokens = 32768;
  for (const EverydayTraining& training : trainings) {
    const Slowest slowest = slowest_of(training);
    INFO(training.what, ": ", slowest.kernel, " ", slowest.launch, " s, queued ", slowest.queued, " s");
    MESSAGE(training.what << ", by the count: " << slowest.kernel << " " << slowest.launch << " s, queued " << slowest.queued << " s");
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
