// Training on a card against torch's f32 results: losses of ten steps and gradients, of every kind of model; of nf4 weights against the
// reference's on the same ones.
//
// On the stand-in ten steps of a model take seconds: NAMESAKE_EVERY_KIND=1 asks for those of every kind, and of nf4 weights. Without it
// there are llama's, and gradients of every kind on one family of cards (kinds_of_this_card).
#include <algorithm>
#include <cmath>

#include "engine/card_models.h"

TEST_SUITE_BEGIN("cuda");

namespace namesake::test {

namespace {

/// Both have block sizes that nf4 takes, and one has q, k and v apart, the other together.
const std::vector<std::string> kNf4Models = {"tiny-qwen2", "tiny-internlm2"};

std::vector<double> ten_losses(const std::shared_ptr<Model>& model, const std::string& name, const Golden& golden,
                               const TrainerOptions& options = golden_options()) {
  const auto trainer = must(Trainer::create(model, golden_adapter(name, *model), options));
  std::vector<double> losses;
  for (const PaddedBatch& batch : golden.batches) losses.push_back(must(trainer->step(std::vector<Batch>{pack(batch)})).loss);
  return losses;
}

template <class T>
double farthest(const std::vector<double>& losses, const std::vector<T>& expected) {
  REQUIRE(losses.size() == 10);
  REQUIRE(expected.size() == 10);
  double worst = 0;
  for (std::size_t s = 0; s < losses.size(); ++s) worst = std::max(worst, std::fabs(losses[s] - double(expected[s])));
  return worst;
}

/// The gradients of one batch that point away the most: their cosine with those expected under `expected(name)`.
template <class Expected>
double least_cosine(const Gradients& ours, const Expected& expected) {
  REQUIRE(!ours.tensors.empty());
  double least = 1;
  for (const auto& [name, values] : ours.tensors) least = std::min(least, cosine(values, expected(name)));
  return least;
}

}  // namespace

TEST_CASE("cuda: losses of ten steps are torch's, of K-quants the reference's") {
  if (cuda_backend() == nullptr) return;
  for (const std::string& name : takes_every_kind() ? kEveryKind : std::vector<std::string>{"tiny-llama"}) {
    CAPTURE(name);
    const Golden golden = read_golden(name);
    const auto ours = open_kind(name, card());
    if (name == "tiny-kquants") {
      // At torch's rate steps are as large as the losses' jumps: f32 alone, from factors that are off by 1e-3, ends up 2.9e-2 away.
      TrainerOptions slower = golden_options();
      slower.lr = 2e-3f;
      const auto theirs = open_kind(name, make_reference_backend());
      CHECK(farthest(ten_losses(ours, name, golden, slower), ten_losses(theirs, name, golden, slower)) < 1e-2);  // measured 1.9e-3
      continue;
    }
    CHECK(farthest(ten_losses(ours, name, golden), golden.tensors.at("losses")) < 1e-2);  // measured 8.2e-3 (tied), 4.5e-3 of llama
  }
}

TEST_CASE("cuda: gradients point where torch's do, those of KL too") {
  if (cuda_backend() == nullptr) return;
  for (const std::string& name : kinds_of_this_card()) {
    CAPTURE(name);
    const Golden golden = read_golden(name);
    const auto model = open_kind(name, card());
    const auto adapter = golden_adapter(name, *model);
    const auto check = [&](const Batch& batch, const std::string& loss, const std::string& prefix) {
      CAPTURE(loss);
      const Gradients ours = must(gradients(*model, *adapter, std::vector<Batch>{batch}));
      const double expected = golden.tensors.at(loss)[0];
      CHECK(std::fabs(ours.result.loss - expected) <= 1e-3 * expected);  // measured 9.2e-5, of KL 4.1e-4
      const double least = least_cosine(ours, [&](const std::string& key) { return golden.tensors.at(prefix + key); });
      CHECK(least > 0.999);  // measured 1 - 5.8e-5
    };
    check(pack(golden.batch), "loss", "grad.");
    check(pack_kl(golden), "kl", "grad_kl.");
  }
}

TEST_CASE("cuda: on nf4 weights, gradients and losses of ten steps are the reference's") {
  if (cuda_backend() == nullptr) return;
  for (const std::string& name : takes_every_kind() ? kNf4Models : std::vector<std::string>{"tiny-internlm2"}) {
    CAPTURE(name);
    const Golden golden = read_golden(name);
    const auto ours = open_kind(name, card(), Precision::nf4), theirs = open_kind(name, make_reference_backend(), Precision::nf4);
    REQUIRE(ours->weights().layers[0].o.type == BlockType::nf4);
    if (takes_every_kind()) {
      CHECK(farthest(ten_losses(ours, name, golden), ten_losses(theirs, name, golden)) < 1e-2);  // measured 2.8e-3
    }
    for (const Batch& batch : {pack(golden.batch), pack_kl(golden)}) {
      const std::vector<Batch> step = {batch};
      const Gradients actual = must(gradients(*ours, *golden_adapter(name, *ours), step));
      const Gradients expected = must(gradients(*theirs, *golden_adapter(name, *theirs), step));
      std::map<std::string, std::vector<float>> tensors(expected.tensors.begin(), expected.tensors.end());
      const double least = least_cosine(actual, [&](const std::string& key) { return tensors.at(key); });
      CHECK(least > 0.999);  // measured 1 - 1.6e-5
    }
  }
}

}  // namespace namesake::test

TEST_SUITE_END();
