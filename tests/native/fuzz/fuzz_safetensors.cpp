// Fuzz target: any bytes as a safetensors file. Shapes and values must agree; run under sanitizers.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "formats/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace namesake;
  const Result<SafetensorsFile> parsed = parse_safetensors(reinterpret_cast<const std::byte*>(data), size);
  if (!parsed.ok()) {
    if (parsed.status().code != Code::adapter_invalid || parsed.status().message.empty()) std::abort();
    return 0;
  }
  for (const auto& [name, tensor] : parsed.value().tensors) {
    std::size_t elements = 1;
    for (const std::int64_t dim : tensor.shape) elements *= static_cast<std::size_t>(dim);
    if (elements != tensor.data.size()) std::abort();
  }
  return 0;
}
