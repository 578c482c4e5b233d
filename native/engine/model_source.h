// ModelSource: what a path holds, opened and understood: where the weights are, the config, and who named the tensors.
#pragma once

#include <memory>
#include <string>

#include "engine/tensor_names.h"
#include "formats/weight_file.h"
#include "namesake/model.h"

namespace namesake {

struct ModelSource {
  std::shared_ptr<WeightFile> file;
  Config config;
  Naming naming = Naming::gguf;
};

/// A folder in Hugging Face layout, or a GGUF file. The codes of SafetensorsModel::open and read_hf_config, or of GgufFile::open and
/// read_gguf_config.
Result<ModelSource> open_source(const std::string& path);

}  // namespace namesake
