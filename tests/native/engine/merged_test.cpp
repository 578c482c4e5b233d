// Merged = applied: a model whose weights have the adapter's product in them says what the base says with the adapter on.
#include "engine/golden.h"
#include "engine/merged_twin.h"

namespace namesake::test {

TEST_CASE("a model with the adapter merged has the logits of the base with the adapter applied") {
  for (const std::string name : {"tiny-llama", "tiny-llama-tied", "tiny-llama3", "tiny-mistral", "tiny-qwen2", "tiny-qwen3",
                                 "tiny-internlm2"}) {
    CAPTURE(name);
    const MergedModel folders(name);
    on_each_backend([&](std::shared_ptr<Backend> backend) {
      // The merged model is f32, and so is its arithmetic; the base's is not where products round to bf16.
      const bool rounded = rounds_products(backend->isa());
      const MergedLogits logits = merged_logits(folders, name, backend);
      CHECK(logits.error < (rounded ? 3e-2 : 1e-5));  // measured 1.5e-6, rounded 1.1e-2
      CHECK(logits.effect > 0.1);                     // measured 0.77 at least
    });
  }
}

}  // namespace namesake::test
