#include "backend/cuda/gemm.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/kernels/convert_args.h"
#include "backend/cuda/kernels/gemm_args.h"

namespace namesake::cuda {
namespace {

/// In the order of Form.
constexpr Kernel<GemmArgs> kLarge[] = {{"gemm", "gemm_rows_rows_large"}, {"gemm", "gemm_rows_columns_large"}, {"gemm", "gemm_columns_columns_large"}};
constexpr Kernel<GemmArgs> kSmall[] = {{"gemm", "gemm_rows_rows_small"}, {"gemm", "gemm_rows_columns_small"}, {"gemm", "gemm_columns_columns_small"}};
constexpr Kernel<SumPiecesArgs> kSumPieces{"convert", "sum_pieces"};

/// Large tiles that a card is busy with. Cards have 14 to 144 multiprocessors, each with room for two of them.
constexpr std::int64_t kManyTiles = 96;
constexpr std::int64_t kPiecesAtOnce = 8;  // of a split product: their sums lie in scratch together

/// A tile of C, and the threads that have it (kernels/gemm.cu).
struct Tile {
  std::int64_t rows, cols, threads;

  std::int64_t count(const Gemm& product) const { return ceil_div(product.M, rows) * ceil_div(product.N, cols); }
};

constexpr Tile kSmallTile{64, 64, 128};

Tile large_tile(KernelFamily family) { return {128, family == KernelFamily::sm_75 ? 64 : 128, 256}; }

bool takes_large(const Gemm& product, const Tile& large, std::int64_t pieces) {
  if (product.tile != GemmTile::by_size) return product.tile == GemmTile::large;
  return std::min(product.M, product.N) > 64 && large.count(product) * pieces >= kManyTiles;
}

GemmPair pair_of(const GemmOperands& operands) {
  return {operands.a, operands.lda, operands.b, operands.ldb, operands.depth, operands.row_factor};
}

/// Depth as the kernel walks it, in whole steps (kernels/gemm_operand.cuh).
std::int64_t steps_depth(std::int64_t depth) { return ceil_div(depth, 32) * 32; }

bool at_8(const void* pointer) { return reinterpret_cast<std::uintptr_t>(pointer) % 8 == 0; }

/// `pieces` pieces of depth `piece` from `first_piece` on, the sums of each at c + M * ldc times its number.
Status launch_pieces(CudaBackend& backend, const Gemm& product, std::int64_t piece, std::int64_t first_piece, std::int64_t pieces) {
  const bool large = takes_large(product, large_tile(backend.family()), pieces);
  const Tile tile = large ? large_tile(backend.family()) : kSmallTile;
  const std::size_t form = static_cast<std::size_t>(product.form);
  GemmArgs args{};
  args.M = product.M;
  args.N = product.N;
  args.first = pair_of(product.first);
  args.second = pair_of(product.second);
  args.piece = piece;
  args.first_piece = first_piece;
  args.scale = product.scale;
  args.bias = product.bias;
  args.residual = product.residual;
  args.c = product.c;
  args.ldc = product.ldc;
  args.in_pairs = product.ldc % 2 == 0 && at_8(product.c) && at_8(product.bias) && at_8(product.residual);
  const std::int64_t tiles = tile.count(product), depth = steps_depth(std::min(piece, product.first.depth)) + steps_depth(product.second.depth);
  const Work work{2.0 * static_cast<double>(tiles * pieces) * static_cast<double>(tile.rows * tile.cols * depth), 0};
  return backend.launch(large ? kLarge[form] : kSmall[form], Shape{{tiles, pieces}, {tile.threads}}, work, args);
}

/// run(part) over as many rows of C at a time as a launch may have, whole tiles of them; `depth` is what a launch sums for each.
template <class Run>
Status over_rows(const CudaBackend& backend, const Gemm& product, std::int64_t depth, const Run& run) {
  constexpr std::int64_t tile = 128;
  const double flop = 2.0 * tile * static_cast<double>(std::max<std::int64_t>(1, product.N)) * static_cast<double>(std::max<std::int64_t>(1, depth));
  const std::int64_t most = tile * std::max<std::int64_t>(1, static_cast<std::int64_t>(std::min(backend.launch_flop() / flop, 0x1p40)));
  if (product.M <= most) return run(product);
  for (std::int64_t m = 0; m < product.M; m += most) {
    Gemm part = product;
    part.M = std::min(most, product.M - m);
    for (GemmOperands* pair : {&part.first, &part.second}) {
      if (pair->a) pair->a += product.form == Form::columns_columns ? m : m * pair->lda;
      if (pair->row_factor) pair->row_factor += m;
    }
    if (part.residual) part.residual += m * part.ldc;
    part.c += m * part.ldc;
    NAMESAKE_TRY(run(part));
  }
  return {};
}

}  // namespace

std::int64_t split_gemm_floats(std::int64_t M, std::int64_t N, std::int64_t depth) {
  return std::min(ceil_div(depth, kPieceDepth), kPiecesAtOnce) * M * N;
}

Status gemm(CudaBackend& backend, const Gemm& product) {
  return over_rows(backend, product, product.first.depth + product.second.depth, [&](const Gemm& part) {
    return launch_pieces(backend, part, std::max<std::int64_t>(part.first.depth, 1), 0, 1);
  });
}

Status split_gemm(CudaBackend& backend, const Gemm& product, const float* factor, float* pieces) {
  return over_rows(backend, product, kPiecesAtOnce * kPieceDepth, [&](const Gemm& rows) {
    const std::int64_t count = ceil_div(rows.first.depth, kPieceDepth), n = rows.M * rows.N;
    Gemm part = rows;
    part.residual = nullptr;
    part.c = pieces;
    const float* before = rows.residual;
    for (std::int64_t first = 0; first < count; first += kPiecesAtOnce) {
      const std::int64_t some = std::min(count - first, kPiecesAtOnce);
      NAMESAKE_TRY(launch_pieces(backend, part, kPieceDepth, first, some));
      NAMESAKE_TRY(backend.launch(kSumPieces, one_each(n), moves(n * (some + 2)), SumPiecesArgs{pieces, some, n, factor, before, rows.c}));
      before = rows.c;
    }
    return Status{};
  });
}

}  // namespace namesake::cuda
