// Config of a GGUF file: read, and refused where it is out of range or asks for what the graph does not do.
#pragma once

#include "formats/gguf.h"
#include "namesake/model.h"

namespace namesake {

/// Keys of the architectures llama, qwen2, qwen3 and internlm2 (ggml-org/ggml docs/gguf.md), and the frequencies in
/// rope_freqs.weight. model.unknown_architecture for another architecture or an option that is not computed here; model.invalid
/// for keys that are missing, out of range or at odds with each other. `vocab` is set from the embedding, which must exist.
Result<Config> read_gguf_config(const GgufFile& file);

}  // namespace namesake
