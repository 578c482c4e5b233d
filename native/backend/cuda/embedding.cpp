// Rows of the embedding by id, decoded on the card.
#include <algorithm>
#include <cstring>
#include <vector>

#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/decode.h"

namespace namesake::cuda {
namespace {

constexpr std::int64_t kGatheredBytes = std::int64_t{4} << 20;  // blocks on their way from a table in the host's memory

std::int64_t gathered_rows(std::int64_t bytes_of_row) { return std::max<std::int64_t>(1, kGatheredBytes / bytes_of_row); }

}  // namespace

/// No format has longer rows than f32.
std::size_t embedding_scratch(const Workload& work) {
  ScratchPlan plan;
  const std::int64_t bytes = row_bytes(BlockType::f32, work.hidden);
  plan.take(std::min(work.rows * bytes, std::max(bytes, kGatheredBytes)));
  return plan.bytes();
}

Status CudaBackend::embedding_forward(const Matrix& table, const std::int32_t* ids, std::int64_t M, float* y) {
  if (M <= 0) return {};
  if (owns(table.data)) return decode_rows(*this, table, ids, M, y);

  std::vector<std::int32_t> rows(static_cast<std::size_t>(M));
  NAMESAKE_TRY(download(rows.data(), ids, rows.size() * sizeof rows[0]));
  // The scales of nf4 lie elsewhere than its codes: its rows are decoded here.
  const bool decoded = table.type == BlockType::nf4;
  const std::int64_t bytes = row_bytes(decoded ? BlockType::f32 : table.type, table.cols), most = gathered_rows(bytes);
  std::vector<std::byte> gathered(static_cast<std::size_t>(std::min(M, most) * bytes));
  const auto memory = scratch(gathered.size());
  if (!memory.ok()) return memory.status();
  for (std::int64_t done = 0; done < M; done += most) {
    const std::int64_t count = std::min(most, M - done);
    for (std::int64_t m = 0; m < count; ++m) {
      const std::int64_t row = rows[static_cast<std::size_t>(done + m)];
      std::byte* to = gathered.data() + m * bytes;
      if (decoded) {
        decode_row(table, row, reinterpret_cast<float*>(to));
      } else {
        std::memcpy(to, table.row(row), static_cast<std::size_t>(bytes));
      }
    }
    NAMESAKE_TRY(upload(memory.value(), gathered.data(), static_cast<std::size_t>(count * bytes)));
    const Matrix blocks{decoded ? BlockType::f32 : table.type, count, table.cols, memory.value(), nullptr};
    NAMESAKE_TRY(decode_rows(*this, blocks, nullptr, count, y + done * table.cols));
  }
  return {};
}

}  // namespace namesake::cuda
