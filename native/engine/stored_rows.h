// StoredRows: the rows of a weight matrix of the graph, where a file has them: in one matrix, or spread over three.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "formats/weight_file.h"
#include "namesake/model.h"

namespace namesake {

/// Not owned: the file must outlive it.
class StoredRows {
 public:
  StoredRows() = default;
  /// A matrix that the file has as the graph wants it.
  explicit StoredRows(const Matrix& whole) : parts_{whole}, rows_(whole.rows) {}
  /// Linear::qkv of a GGUF file of arch internlm2, which stores q, k and v apart and the rows of q and k paired for rope: the
  /// rows stand as in Hugging Face's wqkv, by key/value head and unpaired. q [H*D, C], k and v [G*D, C].
  static StoredRows fused_qkv(const Config& config, const Matrix& q, const Matrix& k, const Matrix& v);

  std::int64_t rows() const { return rows_; }
  std::int64_t cols() const { return parts_[0].cols; }
  /// The file's own matrix, where it is one.
  const Matrix* whole() const { return group_ == 0 ? &parts_[0] : nullptr; }
  /// The format of all rows; empty where it is not the same for all.
  std::optional<BlockType> type() const;

  /// Row `row`, decoded to f32 at `out` [cols].
  void decode(std::int64_t row, float* out) const;
  /// Row `row` as it is stored.
  const std::byte* bytes(std::int64_t row) const;

  /// Bytes of the file.
  std::uint64_t stored_bytes() const;

  /// Lets the machine drop the file's pages.
  void release_pages(const WeightFile& file) const;

 private:
  struct Place {
    const Matrix& matrix;
    std::int64_t row;
  };
  Place place(std::int64_t row) const;

  std::array<Matrix, 3> parts_;  // one, or q, k and v
  std::int64_t rows_ = 0;
  std::int64_t group_ = 0;       // heads of a group: H/G of q, one of k, one of v; 0 = one matrix
  std::int64_t head_dim_ = 0;
};

}  // namespace namesake
