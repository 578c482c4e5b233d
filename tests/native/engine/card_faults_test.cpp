// What can go wrong with a card while a model trains on it: its memory runs out, it is lost, the job is cancelled.
#include <atomic>
#include <chrono>
#include <cmath>
#include <string>
#include <thread>

#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/cuda_fixture.h"
#include "engine/golden.h"

TEST_SUITE_BEGIN("cuda");

namespace namesake::test {

namespace {

/// A backend of its own: one that is lost stays so.
std::shared_ptr<Backend> own_card() {
  auto driver = StandIn::open_driver();
  REQUIRE_MESSAGE(driver.ok(), driver.status().message);
  return must(cuda::make_cuda_backend(driver.take()));
}

/// A conversation of one of the ten steps.
std::vector<Batch> step_of(const Golden& golden, std::size_t step) { return {pack_row(golden.batches[step], 0)}; }

/// A training from the model's file to its first step, as the program takes its memory. What is made is gone again.
Status try_training(const std::shared_ptr<Backend>& backend, const std::vector<Batch>& step) {
  auto model = Model::open(fixture("tiny-llama.gguf"), Precision::as_stored, backend, "");
  if (!model.ok()) return model.status();
  TrainerOptions options = golden_options();
  options.batch_tokens = 64;
  auto arena = reserve_training(*model.value(), 4, options);
  if (!arena.ok()) return arena.status();
  auto adapter = Adapter::create(*model.value(), 4, 8, 1, true, arena.value());
  if (!adapter.ok()) return adapter.status();
  auto trainer = Trainer::create(model.take(), adapter.take(), options, arena.value());
  if (!trainer.ok()) return trainer.status();
  return trainer.value()->step(step).status();
}

struct Learner {
  std::shared_ptr<Adapter> adapter;
  std::unique_ptr<Trainer> trainer;

  explicit Learner(const std::shared_ptr<Model>& model)
      : adapter(golden_adapter("tiny-llama", *model)), trainer(must(Trainer::create(model, adapter, golden_options()))) {}
};

}  // namespace

TEST_CASE("cuda: whichever allocation finds no memory, it is said with numbers, nothing is left behind, and the next attempt works") {
  if (cuda_backend() == nullptr || !StandIn::there()) return;
  const auto step = step_of(read_golden("tiny-llama"), 0);
  const auto backend = own_card();
  must(try_training(backend, step));  // what a backend keeps for itself is taken
  const std::uint64_t before = backend->available();
  int failed = 0;
  for (bool worked = false; !worked; failed += worked ? 0 : 1) {
    CAPTURE(failed);
    const StandIn stand_in("PTXCPU_FAIL_ALLOC", std::to_string(failed + 1).c_str());
    const Status status = try_training(backend, step);
    CHECK(backend->available() == before);
    worked = status.ok();
    if (worked) continue;
    CHECK(status.code == Code::gpu_memory_insufficient);
    CHECK(status.needed > 0);
    CHECK(status.available > 0);
    CHECK(status.message.find("needs") != std::string::npos);
  }
  CHECK(failed >= 3);  // weights, adapter, room for steps
  CHECK(try_training(backend, step).ok());
}

TEST_CASE("cuda: a card that is lost in a step leaves its last checkpoint, from which the processor goes on") {
  if (cuda_backend() == nullptr || !StandIn::there()) return;
  const TemporaryFolder folder;
  const Golden golden = read_golden("tiny-llama");
  const Learner whole(open_model("tiny-llama", {cuda_backend(), [](Backend*) {}}));
  const double first = must(whole.trainer->step(step_of(golden, 0))).loss, second = must(whole.trainer->step(step_of(golden, 1))).loss;
  {
    const Learner lost(open_model("tiny-llama", own_card()));
    CHECK(must(lost.trainer->step(step_of(golden, 0))).loss == first);
    must(lost.trainer->save_checkpoint(folder / "step-1", "tiny"));
    const StandIn stand_in("PTXCPU_FAIL_LAUNCH", "40");
    CHECK(lost.trainer->step(step_of(golden, 1)).status().code == Code::gpu_failed);
    CHECK(lost.trainer->step_count() == 1);
    CHECK(lost.trainer->save_checkpoint(folder / "step-2", "tiny").code == Code::gpu_failed);
    CHECK_FALSE(std::filesystem::exists(folder / "step-2"));
  }
  const Learner resumed(open_model("tiny-llama", must(make_cpu_backend("auto", 2))));
  must(resumed.trainer->load_checkpoint(folder / "step-1"));
  CHECK(resumed.trainer->step_count() == 1);
  const StepResult result = must(resumed.trainer->step(step_of(golden, 1)));
  CHECK(result.step == 2);
  CHECK(std::fabs(result.loss - second) < 5e-3);  // measured 1.2e-3: the card's products are f16
}

TEST_CASE("cuda: a step that is cancelled on its way ends within a second and changes nothing") {
  if (cuda_backend() == nullptr || !StandIn::there()) return;
  const Golden golden = read_golden("tiny-llama");
  const auto backend = own_card();
  const Learner learner(open_model("tiny-llama", backend));
  const auto before = state_of(*learner.adapter, *backend);
  std::atomic<bool> flag{false};
  std::chrono::steady_clock::time_point raised;
  learner.trainer->set_cancel(&flag);
  std::thread after([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    raised = std::chrono::steady_clock::now();
    flag = true;
  });
  // Far more than is done until then.
  const std::vector<Batch> batches(2000, pack(golden.batches[0]));
  CHECK(learner.trainer->step(batches).status().code == Code::cancelled);
  after.join();
  CHECK(std::chrono::steady_clock::now() - raised < std::chrono::seconds(1));
  learner.trainer->set_cancel(nullptr);
  CHECK(state_of(*learner.adapter, *backend) == before);
  CHECK(must(learner.trainer->step(step_of(golden, 0))).step == 1);
}

}  // namespace namesake::test

TEST_SUITE_END();
