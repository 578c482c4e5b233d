// See engine/stored_rows.h.
#include "engine/stored_rows.h"

namespace namesake {

StoredRows StoredRows::fused_qkv(const Config& config, const Matrix& q, const Matrix& k, const Matrix& v) {
  StoredRows rows;
  rows.parts_ = {q, k, v};
  rows.rows_ = q.rows + k.rows + v.rows;
  rows.group_ = config.heads / config.kv_heads + 2;
  rows.head_dim_ = config.head_dim;
  return rows;
}

std::optional<BlockType> StoredRows::type() const {
  for (std::size_t i = 1; i < parts_.size() && group_ > 0; ++i) {
    if (parts_[i].type != parts_[0].type) return {};
  }
  return parts_[0].type;
}

StoredRows::Place StoredRows::place(std::int64_t row) const {
  if (group_ == 0) return {parts_[0], row};
  const std::int64_t head = row / head_dim_, group = head / group_, slot = head % group_, d = row % head_dim_, half = head_dim_ / 2;
  if (slot == group_ - 1) return {parts_[2], group * head_dim_ + d};
  // Row j * D/2 + i of a head is stored as row 2i + j.
  const std::int64_t paired = 2 * (d % half) + d / half;
  if (slot == group_ - 2) return {parts_[1], group * head_dim_ + paired};
  return {parts_[0], (group * (group_ - 2) + slot) * head_dim_ + paired};
}

void StoredRows::decode(std::int64_t row, float* out) const {
  const Place at = place(row);
  decode_row(at.matrix, at.row, out);
}

const std::byte* StoredRows::bytes(std::int64_t row) const {
  const Place at = place(row);
  return at.matrix.row(at.row);
}

std::uint64_t StoredRows::stored_bytes() const {
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < (group_ == 0 ? 1 : parts_.size()); ++i) {
    bytes += static_cast<std::uint64_t>(parts_[i].rows * row_bytes(parts_[i].type, parts_[i].cols));
  }
  return bytes;
}

void StoredRows::release_pages(const WeightFile& file) const {
  for (std::size_t i = 0; i < (group_ == 0 ? 1 : parts_.size()); ++i) file.release_pages(parts_[i]);
}

}  // namespace namesake
