// See engine/nf4_weights.h.
#include "engine/nf4_weights.h"

#include <utility>

namespace namesake {

namespace {

/// A copy of `values` in the arena's memory.
template <class T>
Status place(const std::vector<T>& values, Arena& memory, T*& copy) {
  const std::size_t bytes = values.size() * sizeof(T);
  NAMESAKE_TRY(memory.take(copy, bytes, "quantised weights"));
  return memory.backend().upload(copy, values.data(), bytes);
}

}  // namespace

Nf4Weights::Nf4Weights(const WeightFile& file, const std::string& path, const std::string& folder, std::vector<Nf4Shape> shapes)
    : file_(&file), cache_(file, path, folder, std::move(shapes)), cached_(cache_.open()) {
  if (!cached()) cache_.begin();
}

Status Nf4Weights::take(const StoredRows& stored, int threads, Arena& memory, Matrix& matrix) {
  const std::size_t index = scales_.size();
  Nf4Scales& scales = scales_.emplace_back();
  const std::byte* codes = nullptr;
  if (cached()) {
    codes = cached_[index].codes;
    scales = cached_[index].scales;
  } else {
    NAMESAKE_TRY(quantize(stored, threads, memory, codes, scales));
  }
  stored.release_pages(*file_);
  matrix = {BlockType::nf4, stored.rows(), stored.cols(), codes, &scales};
  return {};
}

Status Nf4Weights::quantize(const StoredRows& stored, int threads, Arena& memory, const std::byte*& codes, Nf4Scales& scales) {
  Nf4Matrix made;
  const auto source = [&stored](std::int64_t row, float* out) { stored.decode(row, out); };
  if (!quantize_nf4({stored.rows(), stored.cols()}, source, threads, made)) {
    return Status::error(Code::model_invalid, "a linear layer holds a value that is not finite");
  }
  std::uint8_t *code_copy = nullptr, *absmax = nullptr;
  float* nested = nullptr;
  NAMESAKE_TRY(place(made.codes, memory, code_copy));
  NAMESAKE_TRY(place(made.absmax, memory, absmax));
  NAMESAKE_TRY(place(made.nested, memory, nested));
  codes = reinterpret_cast<const std::byte*>(code_copy);
  scales = {absmax, nested, made.offset};
  cache_.add(made);
  return {};
}

void Nf4Weights::finish() {
  if (!cached()) cache_.finish();
}

}  // namespace namesake
