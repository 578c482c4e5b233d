// Config of a model file: read, and refused where it is out of range or asks for what the graph does not do.
#pragma once

#include "formats/gguf.h"
#include "namesake/model.h"

namespace namesake {

/// model.unknown_architecture for another architecture or an option of this one that is not computed here; model.invalid for
/// keys that are missing, out of range or at odds with each other. `vocab` is set from the embedding, which must exist.
Result<Config> read_config(const GgufFile& file);

/// model.invalid for sizes that are out of range or at odds with each other, wherever they come from.
Status check_sizes(const Config& config);

}  // namespace namesake
