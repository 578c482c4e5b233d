// Training on a card: what it takes of the card's memory, when it gives it back, and that a plan says so.
#include "backend/cuda/cuda_fixture.h"
#include "engine/arena.h"
#include "engine/golden.h"
#include "engine/memory_plan.h"

TEST_SUITE_BEGIN("cuda");

namespace namesake::test {

TEST_CASE("cuda: activations leave the card between steps, and the next step takes them again") {
  if (cuda_backend() == nullptr || !StandIn::there()) return;
  const std::shared_ptr<Backend> backend(cuda_backend(), [](Backend*) {});
  const auto model = open_model("tiny-llama", backend);
  TrainerOptions options;
  options.batch_tokens = 64;
  const std::uint64_t before = backend->available();
  auto arena = must(reserve_training(*model, 4, options));
  const auto adapter = must(Adapter::create(*model, 4, 8, 1, true, arena));
  const auto trainer = must(Trainer::create(model, adapter, options, arena));
  CHECK(arena->used() == arena->capacity());
  const TrainingMemory planned = plan_training(model->config(), *backend, 4, BatchRoom::plain(64), false, 0);
  const std::uint64_t steps = planned.activations + planned.scratch;
  CHECK(before - backend->available() == planned.total());
  trainer->release_activations();
  CHECK(before - backend->available() == planned.total() - steps);
  trainer->release_activations();
  const auto saved = state_of(*adapter, *backend);
  Batch batch;
  batch.ids = batch.labels = {1, 2, 3, 4};
  batch.positions = {0, 1, 2, 3};
  batch.cu_seqlens = {0, 4};
  batch.ce_weights = {0, 0.5f, 0.25f, 0.25f};
  const std::vector<Batch> step(1, batch);
  must(trainer->step(step));
  CHECK(before - backend->available() == planned.total());
  CHECK(state_of(*adapter, *backend) != saved);
  trainer->release_activations();
  const StandIn stand_in("PTXCPU_MEM_MB", "64");  // what is left to the driver
  const Status status = trainer->step(step).status();
  CHECK(status.code == Code::gpu_memory_insufficient);
  CHECK(status.needed == steps);
}

}  // namespace namesake::test

TEST_SUITE_END();
