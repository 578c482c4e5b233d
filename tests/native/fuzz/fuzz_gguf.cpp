// Fuzz target: any bytes as a GGUF file. Whatever parses must lie inside the input and decode; run under sanitizers.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "formats/gguf.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace namesake;
  const auto* bytes = reinterpret_cast<const std::byte*>(data);
  const Result<std::shared_ptr<GgufFile>> parsed = GgufFile::parse(bytes, size);
  if (!parsed.ok()) {
    if (parsed.status().code == Code::ok || parsed.status().message.empty()) std::abort();
    return 0;
  }
  const GgufFile& file = *parsed.value();
  for (const StoredTensor& tensor : file.tensors()) {
    const Matrix& matrix = tensor.matrix;
    if (file.tensor(tensor.name) != &tensor) std::abort();
    if (matrix.data < bytes || matrix.row(matrix.rows) > bytes + size) std::abort();
    std::vector<float> row(static_cast<std::size_t>(matrix.cols));
    for (const std::int64_t r : {std::int64_t{0}, matrix.rows - 1}) decode_row(matrix, r, row.data());
  }
  return 0;
}
