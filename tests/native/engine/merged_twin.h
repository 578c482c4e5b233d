// A model's folder with an adapter's product added to its weights: what applying the adapter must be equal to.
#pragma once

#include <memory>
#include <string>

#include "backend/ops.h"
#include "engine/folder_twin.h"

namespace namesake::test {

/// A model that has both a folder (of a fixture, or a twin's) and a golden adapter, and the same with the adapter merged.
struct MergedModel {
  TemporaryFolder base;     ///< the model's folder, as it is
  TemporaryFolder merged;   ///< the same, but every W that the adapter has factors for is W + (alpha / r) B A, in f32

  /// Of tests/fixtures/NAME, a folder or a GGUF file of arch llama, and the adapter of its golden results.
  explicit MergedModel(const std::string& name);
};

/// Relative L2 of the logits of a golden conversation.
struct MergedLogits {
  double error = 0;    ///< of the merged model against the base with the adapter applied
  double effect = 0;   ///< of the base without the adapter against the base with it: what the adapter changes
};
/// `folders` of MergedModel(name), opened on `backend`.
MergedLogits merged_logits(const MergedModel& folders, const std::string& name, std::shared_ptr<Backend> backend);

}  // namespace namesake::test
