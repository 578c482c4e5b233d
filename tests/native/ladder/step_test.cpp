// The roofline of a whole step of training: the real default model, where NAMESAKE_MODEL names its GGUF file. Minutes on the stand-in.
#include <cstdlib>
#include <iostream>

#include "backend/cuda/cuda_fixture.h"
#include "engine/golden.h"
#include "ladder/roofline.h"

TEST_SUITE_BEGIN("ladder");

namespace namesake::test {

TEST_CASE("ladder: what a step of SmolLM2-135M asks of a card" * doctest::skip()) {
  if (!StandIn::there()) return;
  const char* path = std::getenv("NAMESAKE_MODEL");
  REQUIRE_MESSAGE(path != nullptr, "NAMESAKE_MODEL names no file");
  const std::shared_ptr<Backend> backend(cuda_backend(), [](Backend*) {});
  const auto model = must(Model::open(path, Precision::as_stored, backend));
  const auto adapter = must(Adapter::create(*model, 16, 32, 1, true));
  // Conversations of the golden run, as many as make up a step of 512 tokens.
  PaddedBatch conversations;
  Batch batch;
  for (const PaddedBatch& few : read_batches(fixture("golden/smollm2-135m/train.json"))) {
    if (batch.ids.size() >= 512) break;
    for (auto member : {&PaddedBatch::ids, &PaddedBatch::labels, &PaddedBatch::mask}) {
      (conversations.*member).insert((conversations.*member).end(), (few.*member).begin(), (few.*member).end());
    }
    batch = pack(conversations);
  }
  const auto trainer = must(Trainer::create(model, adapter, TrainerOptions{}));
  const std::vector<CountedLaunch> launches = launches_of([&] { must(trainer->step(std::vector<Batch>{batch})); });

  double flop = 0, bytes = 0;
  for (const CountedLaunch& launch : launches) {
    flop += double(launch.counts.mma_flop);
    bytes += double(launch.counts.global_load_bytes + launch.counts.global_store_bytes);
  }
  std::cout << batch.ids.size() << " tokens: " << launches.size() << " launches, " << flop / 1e9 << " GFLOP of tensor cores, " << bytes / 1e9
            << " GB asked of global memory\n";
  for (const CardPeaks& card : cards()) {
    if ((card.capability < 80) != (backend->isa() == "sm_75")) continue;  // its kernels are another family's
    // What the launches share stays out: that part is in any case far below what they compute.
    const Estimate seconds = estimate(card, launches, 0);
    std::cout << "estimate of a roofline, not measured: " << card.name << " " << double(batch.ids.size()) / seconds.uncached << " to "
              << double(batch.ids.size()) / seconds.cached << " tokens a second\n";
  }
  // Four products and sums a weight of the linear layers and token at least: 106.2 million of them, 102.7 without the last layer, most of
  // which sees labelled rows alone.
  CHECK(flop >= 4 * 102.7e6 * double(batch.ids.size()));
}

}  // namespace namesake::test

TEST_SUITE_END();
