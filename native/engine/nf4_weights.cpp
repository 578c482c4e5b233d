// See engine/nf4_weights.h.
#include "engine/nf4_weights.h"

#include <utility>

namespace namesake {

namespace {

/// A copy of `count` values in the arena's memory.
template <class T>
Status place(const T* values, std::int64_t count, Arena& memory, T*& copy) {
  const std::size_t bytes = static_cast<std::size_t>(count) * sizeof(T);
  NAMESAKE_TRY(memory.take(copy, bytes, "quantised weights"));
  return memory.backend().upload(copy, values, bytes);
}

/// The same of a matrix's codes and scales.
Status place(const Nf4Shape& shape, const std::byte* from, const Nf4Scales& old, Arena& memory, const std::byte*& codes, Nf4Scales& scales) {
  std::byte* code_copy = nullptr;
  std::uint8_t* absmax = nullptr;
  float* nested = nullptr;
  NAMESAKE_TRY(place(from, shape.code_bytes(), memory, code_copy));
  NAMESAKE_TRY(place(old.absmax, shape.blocks(), memory, absmax));
  NAMESAKE_TRY(place(old.nested, shape.nested(), memory, nested));
  codes = code_copy;
  scales = {absmax, nested, old.offset};
  return {};
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
    NAMESAKE_TRY(take_cached(index, memory, codes, scales));
  } else {
    NAMESAKE_TRY(quantize(stored, threads, memory, codes, scales));
  }
  stored.release_pages(*file_);
  matrix = {BlockType::nf4, stored.rows(), stored.cols(), codes, &scales};
  return {};
}

Status Nf4Weights::take_cached(std::size_t index, Arena& memory, const std::byte*& codes, Nf4Scales& scales) {
  const Nf4FileMatrix& matrix = cached_[index];
  if (memory.backend().reads_host_memory()) {
    codes = matrix.codes;
    scales = matrix.scales;
    return {};
  }
  NAMESAKE_TRY(place(cache_.shape(index), matrix.codes, matrix.scales, memory, codes, scales));
  cache_.release_pages(index);
  return {};
}

Status Nf4Weights::quantize(const StoredRows& stored, int threads, Arena& memory, const std::byte*& codes, Nf4Scales& scales) {
  Nf4Matrix made;
  const auto source = [&stored](std::int64_t row, float* out) { stored.decode(row, out); };
  if (!quantize_nf4({stored.rows(), stored.cols()}, source, threads, made)) {
    return Status::error(Code::model_invalid, "a linear layer holds a value that is not finite");
  }
  const Nf4Scales host{made.absmax.data(), made.nested.data(), made.offset};
  NAMESAKE_TRY(place({stored.rows(), stored.cols()}, reinterpret_cast<const std::byte*>(made.codes.data()), host, memory, codes, scales));
  cache_.add(made);
  return {};
}

void Nf4Weights::finish() {
  if (!cached()) cache_.finish();
}

}  // namespace namesake
