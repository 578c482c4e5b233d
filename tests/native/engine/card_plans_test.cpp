// What a card needs for models of everyday size, by their shapes: each of these settings must leave room on a card of 8 GB.
#include "backend/cuda/cuda_fixture.h"
#include "engine/everyday_models.h"
#include "engine/golden.h"

TEST_SUITE_BEGIN("cuda");

namespace namesake::test {

TEST_CASE("cuda: 1.5 to 7 billion weights are trained within the memory of everyday cards") {
  if (cuda_backend() == nullptr) return;
  for (const EverydayTraining& training : everyday_trainings()) {
    CAPTURE(training.what);
    const ModelShape shape = must(shape_of_config(training.config, training.file_bytes, Precision::nf4, false));
    const double planned = static_cast<double>(must(plan_memory(shape, *cuda_backend(), training.options())).total) / 1e9;
    MESSAGE(training.what << ": " << planned << " GB on the card");
    CHECK(planned <= training.most_gigabytes);
  }
}

}  // namespace namesake::test

TEST_SUITE_END();
