// Embedding: rows of the table by id.
#include "backend/reference/reference_backend.h"

namespace namesake {

Status ReferenceBackend::embedding_forward(const Matrix& table, const std::int32_t* ids, std::int64_t M, float* y) {
  for (std::int64_t m = 0; m < M; ++m) decode_row(table, ids[m], y + m * table.cols);
  return {};
}

}  // namespace namesake
