#include "backend/cuda/decode.h"

#include <algorithm>
#include <cstddef>

#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/gemv.h"
#include "backend/cuda/kernels/blocks_args.h"

namespace namesake::cuda {
namespace {

/// In the order of BlockType.
constexpr Kernel<DecodeArgs> kDecode[] = {{"blocks", "decode_f32"},  {"blocks", "decode_f16"},  {"blocks", "decode_bf16"},
                                          {"blocks", "decode_q4_0"}, {"blocks", "decode_q4_1"}, {"blocks", "decode_q5_0"},
                                          {"blocks", "decode_q5_1"}, {"blocks", "decode_q8_0"}, {"blocks", "decode_q4_k"},
                                          {"blocks", "decode_q5_k"}, {"blocks", "decode_q6_k"}, {"blocks", "decode_nf4"}};

constexpr Kernel<GemvArgs> kGemv[] = {{"gemv", "gemv_f32"},  {"gemv", "gemv_f16"},  {"gemv", "gemv_bf16"}, {"gemv", "gemv_q4_0"},
                                      {"gemv", "gemv_q4_1"}, {"gemv", "gemv_q5_0"}, {"gemv", "gemv_q5_1"}, {"gemv", "gemv_q8_0"},
                                      {"gemv", "gemv_q4_k"}, {"gemv", "gemv_q5_k"}, {"gemv", "gemv_q6_k"}, {"gemv", "gemv_nf4"}};

constexpr std::int64_t kDecodedEach = 8;                      // values of a thread
constexpr std::int64_t kThreadsOfLaunch = 0x7fffffff - 256;   // threads that count themselves in 32 bits
constexpr std::int64_t kGemvOutputs = 16, kGemvRows = 4;      // of a block (kernels/gemv.cu)

/// A launch for as many of the rows as it has threads for, and so on.
Status decode(CudaBackend& backend, BlockType type, DecodeArgs args) {
  const std::int64_t across = ceil_div(args.matrix.cols, kDecodedEach), rows = args.count;
  if (across == 0) return {};
  const std::int64_t most = kThreadsOfLaunch / across;
  for (std::int64_t done = 0; done < rows; done += most) {
    args.count = std::min(most, rows - done);
    const Work work{0, static_cast<double>(args.count) * static_cast<double>(args.matrix.row_bytes + 4 * args.matrix.cols)};
    NAMESAKE_TRY(backend.launch(kDecode[static_cast<std::size_t>(type)], one_each(args.count * across), work, args));
    args.first += args.count;
    if (args.ids) args.ids += args.count;
    if (args.half) args.half += args.count * args.ld;
    if (args.values) args.values += args.count * args.matrix.cols;
  }
  return {};
}

}  // namespace

BlockView view_of(const Matrix& matrix) {
  BlockView view{};
  view.data = reinterpret_cast<const std::uint8_t*>(matrix.data);
  view.rows = matrix.rows;
  view.cols = matrix.cols;
  view.row_bytes = row_bytes(matrix.type, matrix.cols);
  if (matrix.nf4) {
    view.absmax = matrix.nf4->absmax;
    view.nested = matrix.nf4->nested;
    view.offset = matrix.nf4->offset;
  }
  return view;
}

Status decode_rows(CudaBackend& backend, const Matrix& matrix, std::int64_t first, std::int64_t count, Half* out, std::int64_t ld) {
  return decode(backend, matrix.type, DecodeArgs{view_of(matrix), nullptr, first, count, out, ld, nullptr});
}

Status decode_rows(CudaBackend& backend, const Matrix& matrix, const std::int32_t* ids, std::int64_t count, float* out) {
  return decode(backend, matrix.type, DecodeArgs{view_of(matrix), ids, 0, count, nullptr, 0, out});
}

Status gemv(CudaBackend& backend, BlockType type, const GemvArgs& args) {
  // Rows of whole blocks are as aligned as the first.
  if (block_format(type).values_per_block > 1 && reinterpret_cast<std::uintptr_t>(args.x) % 16 != 0) {
    return Status::error(Code::internal, "the rows of a product with blocks begin at multiples of 16 bytes");
  }
  const std::int64_t passes = ceil_div(args.M, kGemvRows);  // over the weights; x comes from a cache
  const Work work{2.0 * static_cast<double>(passes * kGemvRows) * static_cast<double>(args.w.rows * (args.w.cols + args.R)),
                  static_cast<double>(passes * args.w.rows) * static_cast<double>(args.w.row_bytes + 4 * kGemvRows)};
  return backend.launch(kGemv[static_cast<std::size_t>(type)], Shape{{ceil_div(args.w.rows, kGemvOutputs), passes}, {256}}, work, args);
}

}  // namespace namesake::cuda
