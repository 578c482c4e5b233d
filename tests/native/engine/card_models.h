// What the tests of models on a card share.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backend/cuda/cuda_fixture.h"
#include "engine/golden.h"

namespace namesake::test {

/// A model of each kind that has golden results; the last has only a folder.
inline const std::vector<std::string> kEveryKind = {"tiny-llama", "tiny-llama-tied", "tiny-kquants", "tiny-llama3",
                                                    "tiny-qwen2", "tiny-qwen3",      "tiny-internlm2", "tiny-mistral"};

/// The card's backend as a model takes it; nothing is owned.
inline std::shared_ptr<Backend> card() { return {cuda_backend(), [](Backend*) {}}; }

/// One of kEveryKind.
inline std::shared_ptr<Model> open_kind(const std::string& name, std::shared_ptr<Backend> backend,
                                        Precision precision = Precision::as_stored) {
  return must(Model::open(fixture(name == "tiny-mistral" ? name : name + ".gguf"), precision, std::move(backend)));
}

}  // namespace namesake::test
