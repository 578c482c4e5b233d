// See engine/model_source.h.
#include "engine/model_source.h"

#include "engine/config_gguf.h"

namespace namesake {

Result<ModelSource> open_source(const std::string& path) {
  Result<std::shared_ptr<GgufFile>> file = GgufFile::open(path);
  if (!file.ok()) return file.status();
  Result<Config> config = read_gguf_config(*file.value());
  if (!config.ok()) return config.status();
  return ModelSource{file.take(), config.take(), Naming::gguf};
}

}  // namespace namesake
