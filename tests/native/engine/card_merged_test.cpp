// Merged = applied, on a card: its low-rank term is a product of its own in 16 bits, and the merged weights are rounded once more.
#include "engine/card_models.h"
#include "engine/merged_twin.h"

TEST_SUITE_BEGIN("cuda");

namespace namesake::test {

TEST_CASE("cuda: a model with the adapter merged has the logits of the base with the adapter applied") {
  if (cuda_backend() == nullptr) return;
  for (const std::string& name : kinds_of_this_card()) {
    CAPTURE(name);
    const MergedLogits logits = merged_logits(MergedModel(name), name, card());
    CHECK(logits.error < 4e-3);  // measured 2.4e-3
    CHECK(logits.effect > 0.1);  // measured 0.77 at least
  }
}

}  // namespace namesake::test

TEST_SUITE_END();
