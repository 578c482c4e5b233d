// What the tests of models on a card share.
#pragma once

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "backend/cuda/cuda_fixture.h"
#include "engine/golden.h"

namespace namesake::test {

/// A model of each kind that has golden results; the last has only a folder.
inline const std::vector<std::string> kEveryKind = {"tiny-llama", "tiny-llama-tied", "tiny-kquants", "tiny-llama3",
                                                    "tiny-qwen2", "tiny-qwen3",      "tiny-internlm2", "tiny-mistral"};

/// Whether NAMESAKE_EVERY_KIND asks for what takes minutes on the stand-in.
inline bool takes_every_kind() { return std::getenv("NAMESAKE_EVERY_KIND") != nullptr; }

/// Those of kEveryKind that a case takes: all on a card of sm_80; on one of sm_75, whose kernels differ by their matrix instructions,
/// tiles and copies alone, one of K-quants and one that has q, k and v together, unless takes_every_kind.
inline std::vector<std::string> kinds_of_this_card() {
  if (cuda_backend()->isa() != "sm_75" || takes_every_kind()) return kEveryKind;
  return {"tiny-kquants", "tiny-internlm2"};
}

/// The card's backend as a model takes it; nothing is owned.
inline std::shared_ptr<Backend> card() { return {cuda_backend(), [](Backend*) {}}; }

/// One of kEveryKind.
inline std::shared_ptr<Model> open_kind(const std::string& name, std::shared_ptr<Backend> backend,
                                        Precision precision = Precision::as_stored) {
  return must(Model::open(fixture(name == "tiny-mistral" ? name : name + ".gguf"), precision, std::move(backend)));
}

}  // namespace namesake::test
