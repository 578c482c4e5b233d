// GgufDirectory: the checked contents of a GGUF file's head. Internal to the reader; use gguf.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "formats/gguf.h"
#include "namesake/status.h"

namespace namesake {

// Limits that no real file comes near; a hostile one cannot make the reader spend more than these.
inline constexpr std::uint64_t kGgufMaxPairs = 1u << 16;
inline constexpr std::uint64_t kGgufMaxTensors = 1u << 18;
inline constexpr std::uint64_t kGgufMaxKeyBytes = 65535;           // the format's own limit
inline constexpr std::uint64_t kGgufMaxNameBytes = 256;            // the format says 64
inline constexpr std::uint64_t kGgufMaxStringBytes = 1u << 24;
inline constexpr std::uint64_t kGgufMaxArrayElements = 1u << 22;   // of all arrays together; 40 bytes each in memory
inline constexpr int kGgufMaxArrayDepth = 4;
inline constexpr std::uint32_t kGgufMaxDims = 4;
inline constexpr std::uint64_t kGgufMaxAlignment = 1u << 16;

struct GgufDirectory {
  std::uint32_t version = 0;
  std::map<std::string, GgufValue, std::less<>> metadata;
  std::vector<StoredTensor> tensors;                       ///< in the file's order
  std::map<std::string, std::size_t, std::less<>> index;   ///< name -> place in tensors
};

/// Reads and checks the directory of a file that lies at `data`. Errors as GgufFile::open.
Result<GgufDirectory> read_gguf_directory(const std::byte* data, std::size_t size);

}  // namespace namesake
