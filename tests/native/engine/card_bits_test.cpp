// What training on a card may not change: sums over micro-batches, and the bits of layers that are computed again and of a training that
// goes on from a checkpoint.
#include <algorithm>

#include "engine/arena.h"
#include "engine/card_models.h"

TEST_SUITE_BEGIN("cuda");

namespace namesake::test {

namespace {

using State = std::vector<std::vector<float>>;

/// The first conversation of each golden batch from..to is a step.
void train(Trainer& trainer, const Golden& golden, std::size_t from, std::size_t to) {
  for (std::size_t s = from; s < to; ++s) must(trainer.step(std::vector<Batch>{pack_row(golden.batches[s], 0)}));
}

/// An adapter with moments of `state_bits` bits, in room for any batch of the goldens.
struct Training {
  std::shared_ptr<Adapter> adapter;
  std::unique_ptr<Trainer> trainer;

  Training(const std::shared_ptr<Model>& model, std::int64_t rank, int state_bits, bool recompute, int activation_bits = 32) {
    TrainerOptions options = golden_options();
    options.batch_tokens = 128;
    options.state_bits = state_bits;
    options.recompute = recompute;
    options.activation_bits = activation_bits;
    const auto arena = must(reserve_training(*model, rank, options));
    adapter = must(Adapter::create(*model, rank, 2 * static_cast<float>(rank), 7, true, arena, state_bits));
    trainer = must(Trainer::create(model, adapter, options, arena));
  }
};

}  // namespace

TEST_CASE("cuda: gradients of micro-batches add up to those of the reference") {
  if (cuda_backend() == nullptr) return;
  const std::string name = "tiny-internlm2";
  const Golden golden = read_golden(name);
  std::vector<Batch> rows;
  for (std::size_t row = 0; row < golden.batch.ids.size(); ++row) rows.push_back(pack_row(golden.batch, row));
  REQUIRE(rows.size() > 1);
  const auto ours = open_kind(name, card()), theirs = open_kind(name, make_reference_backend());
  const auto adapter = golden_adapter(name, *ours);
  const Gradients parts = must(gradients(*ours, *adapter, rows));
  const Gradients whole = must(gradients(*ours, *adapter, std::vector<Batch>{pack(golden.batch)}));
  const Gradients expected = must(gradients(*theirs, *golden_adapter(name, *theirs), rows));
  CHECK(parts.result.tokens == expected.result.tokens);
  CHECK(parts.result.loss == doctest::Approx(expected.result.loss).epsilon(1e-3));
  REQUIRE(parts.tensors.size() == expected.tensors.size());
  double apart = 0, aside = 0;
  for (std::size_t i = 0; i < parts.tensors.size(); ++i) {
    const auto& [key, values] = parts.tensors[i];
    REQUIRE(key == expected.tensors[i].first);
    apart = std::max(apart, relative_l2(values, expected.tensors[i].second));
    aside = std::max(aside, relative_l2(values, whole.tensors[i].second));
  }
  CHECK(apart < 2e-2);   // measured 3.1e-3: 16-bit operands
  CHECK(aside < 1e-5);   // measured 1.1e-7: the order of sums alone
}

TEST_CASE("cuda: layers computed again give the bits of layers that were kept, in 16 bits too, which are near those in 32") {
  if (cuda_backend() == nullptr) return;
  const std::string name = "tiny-internlm2";
  const Golden golden = read_golden(name);
  const auto model = open_kind(name, card());
  State wide;
  for (const int bits : {32, 16}) {
    State states[2];
    for (const bool recompute : {false, true}) {
      const Training training(model, 4, 32, recompute, bits);
      train(*training.trainer, golden, 0, 1);
      states[recompute] = state_of(*training.adapter, *cuda_backend());
    }
    CHECK(states[0] == states[1]);
    if (bits == 32) wide = states[0];
    CHECK((states[0] == wide) == (bits == 32));
    for (std::size_t i = 0; i < wide.size(); i += 3) CHECK(relative_l2(states[0][i], wide[i]) < 0.2);
  }
}

TEST_CASE("cuda: going on from a checkpoint gives the bits of all steps in a row, with states of 8 bits too") {
  if (cuda_backend() == nullptr) return;
  const Golden golden = read_golden("tiny-llama");
  const auto model = open_kind("tiny-llama", card());
  for (const int state_bits : {32, 8}) {
    CAPTURE(state_bits);
    const TemporaryFolder folder;
    // Of this rank some factors are large enough for codes.
    const Training whole(model, 64, state_bits, false), resumed(model, 64, state_bits, false);
    bool coded = false;
    for (const Trainable& t : whole.adapter->trainables()) coded |= t.m.codes != nullptr;
    CHECK(coded == (state_bits == 8));
    train(*whole.trainer, golden, 0, 1);
    must(whole.trainer->save_checkpoint(folder / "step-1", "tiny"));
    train(*whole.trainer, golden, 1, 2);
    must(resumed.trainer->load_checkpoint(folder / "step-1"));
    train(*resumed.trainer, golden, 1, 2);
    CHECK(state_of(*resumed.adapter, *cuda_backend()) == state_of(*whole.adapter, *cuda_backend()));
  }
}

}  // namespace namesake::test

TEST_SUITE_END();
