// Fuzz target: any bytes as the weights of a Hugging Face folder: two lengths of 2 bytes, then an index, a first file, and the
// rest, if any, as a second one; an index of length 0 is none. Whatever opens must lie inside the input and decode; run under sanitizers.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "formats/safetensors_model.h"

namespace {

using namespace namesake;

bool is_inside(const Matrix& matrix, const SafetensorsShard& shard) {
  return matrix.data >= shard.data && matrix.row(matrix.rows) <= shard.data + shard.size;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 4) return 0;
  const auto* bytes = reinterpret_cast<const std::byte*>(data + 4);
  const std::size_t left = size - 4;
  const std::size_t index_size = std::min<std::size_t>(left, static_cast<std::size_t>(data[0] | data[1] << 8));
  const std::size_t first_size = std::min<std::size_t>(left - index_size, static_cast<std::size_t>(data[2] | data[3] << 8));
  const std::string_view index(reinterpret_cast<const char*>(bytes), index_size);
  const std::size_t second_size = left - index_size - first_size;
  std::vector<SafetensorsShard> shards = {{"a.safetensors", bytes + index_size, first_size}};
  if (second_size > 0) shards.push_back({"b.safetensors", bytes + index_size + first_size, second_size});
  const Result<std::shared_ptr<SafetensorsModel>> parsed = SafetensorsModel::parse(index, shards);
  if (!parsed.ok()) {
    const Code code = parsed.status().code;
    const bool known = code == Code::model_truncated || code == Code::model_invalid || code == Code::model_unknown_block;
    if (!known || parsed.status().message.empty()) std::abort();
    return 0;
  }
  const SafetensorsModel& model = *parsed.value();
  for (const StoredTensor& tensor : model.tensors()) {
    const Matrix& matrix = tensor.matrix;
    if (model.tensor(tensor.name) != &tensor) std::abort();
    if (std::none_of(shards.begin(), shards.end(), [&](const SafetensorsShard& shard) { return is_inside(matrix, shard); })) std::abort();
    std::vector<float> row(static_cast<std::size_t>(matrix.cols));
    for (const std::int64_t r : {std::int64_t{0}, matrix.rows - 1}) decode_row(matrix, r, row.data());
    model.release_pages(matrix);
  }
  return 0;
}
