// SafetensorsDirectory: the checked header of a safetensors file (huggingface/safetensors README, "Format"). Internal to the
// readers; use safetensors.h for adapters and states, safetensors_model.h for a model's weights.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "namesake/status.h"

namespace namesake {

/// One element type that a reader takes.
struct SafetensorsType {
  const char* name;      ///< as in the header: "BF16"
  std::uint64_t bytes;   ///< of one value
};

/// What a reader takes, and what it calls the faults of a file.
struct SafetensorsRules {
  std::span<const SafetensorsType> types;
  Code truncated;      ///< the file ends before what its header promises
  Code invalid;        ///< anything else that is wrong
  Code unknown_type;   ///< a type that is not among `types`
};

/// One tensor of the header.
struct SafetensorsEntry {
  std::string name;
  std::size_t type = 0;               ///< place in SafetensorsRules::types
  std::vector<std::int64_t> shape;    ///< outermost first; empty for a single value
  std::uint64_t elements = 1;
  std::uint64_t begin = 0, end = 0;   ///< bytes of its values, from the start of the file
};

struct SafetensorsDirectory {
  std::vector<SafetensorsEntry> entries;   ///< in the order of their values
  std::map<std::string, std::string> metadata;
};

/// Reads and checks the header of a file that lies at `data`: lengths, JSON, shapes, duplicate names, and that the values fill
/// the rest of the file without gap or overlap.
Result<SafetensorsDirectory> read_safetensors_directory(const std::byte* data, std::size_t size, const SafetensorsRules& rules);

}  // namespace namesake
