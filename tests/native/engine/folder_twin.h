// A tiny GGUF model of arch llama as a folder in Hugging Face layout: the same weights under the other names, in the other row order.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "formats/temporary_folder.h"

namespace namesake::test {

struct TwinTensor {
  std::string dtype;                 ///< "F32", "F16" or "BF16", as in the GGUF file; blocks become F32
  std::vector<std::int64_t> shape;   ///< outermost first
  std::string bytes;
};

struct FolderTwin {
  std::map<std::string, TwinTensor> tensors;
  std::map<std::string, std::string> config;   ///< fields of config.json as JSON texts
  int shards = 1;
  std::size_t padding = 0;                     ///< as SafetensorsBuilder::padding

  void write(const TemporaryFolder& folder) const;
};

/// Of tests/fixtures/NAME.gguf; the config as transformers 5 writes it.
FolderTwin folder_twin(const std::string& name);

}  // namespace namesake::test
