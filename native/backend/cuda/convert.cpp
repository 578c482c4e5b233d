#include "backend/cuda/convert.h"

#include <algorithm>

#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/kernels/convert_args.h"

namespace namesake::cuda {
namespace {

constexpr Kernel<RoundRowsArgs> kRoundRows{"convert", "round_rows"};
constexpr Kernel<RoundTogetherArgs> kLargestOfRows{"convert", "largest_of_rows"};
constexpr Kernel<RoundTogetherArgs> kRoundTogether{"convert", "round_together"};

/// A block a row, with a thread for each eight values up to 256.
Shape block_each(std::int64_t rows, std::int64_t cols) {
  return {{rows}, {std::clamp<std::int64_t>(ceil_div(ceil_div(cols, 8), 32) * 32, 32, 256)}};
}

}  // namespace

Status round_rows(CudaBackend& backend, const RoundRows& args) {
  return backend.launch(kRoundRows, block_each(args.rows, args.cols), moves(3 * args.rows * args.ld),
                        RoundRowsArgs{args.x, args.rows, args.cols, args.row_on, args.scale, args.out, args.ld, args.factor});
}

Status round_together(CudaBackend& backend, const RoundTogether& args) {
  std::uint32_t* largest = reinterpret_cast<std::uint32_t*>(args.factor + 1);
  const RoundTogetherArgs launched{args.x,          args.rows, args.cols, args.row_on, args.scale,
                                   args.row_factor, args.out,  args.ld,   largest,     args.factor};
  const Shape shape = block_each(args.rows, args.cols);
  const std::int64_t factors = 2 * shape.threads.x;  // of its row, which each thread asks for
  NAMESAKE_TRY(backend.zero(largest, sizeof *largest));
  NAMESAKE_TRY(backend.launch(kLargestOfRows, shape, moves(args.rows * (args.cols + factors)), launched));
  return backend.launch(kRoundTogether, shape, moves(args.rows * (2 * args.ld + factors)), launched);
}

}  // namespace namesake::cuda
