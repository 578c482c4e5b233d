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
  return backend.launch(large ? kLarge[form] : kSmall[form], Shape{{tile.count(product), pieces}, {tile.threads}}, args);
}

}  // namespace

std::int64_t split_gemm_floats(std::int64_t M, std::int64_t N, std::int64_t depth) {
  return std::min(ceil_div(depth, kPieceDepth), kPiecesAtOnce) * M * N;
}

Status gemm(CudaBackend& backend, const Gemm& product) {
  return launch_pieces(backend, product, std::max<std::int64_t>(product.first.depth, 1), 0, 1);
}

Status split_gemm(CudaBackend& backend, const Gemm& product, const float* factor, float* pieces) {
  const std::int64_t count = ceil_div(product.first.depth, kPieceDepth), n = product.M * product.N;
  Gemm part = product;
  part.residual = nullptr;
  part.c = pieces;
  const float* before = product.residual;
  for (std::int64_t first = 0; first < count; first += kPiecesAtOnce) {
    const std::int64_t some = std::min(count - first, kPiecesAtOnce);
    NAMESAKE_TRY(launch_pieces(backend, part, kPieceDepth, first, some));
    NAMESAKE_TRY(backend.launch(kSumPieces, one_each(n), SumPiecesArgs{pieces, some, n, factor, before, product.c}));
    before = product.c;
  }
  return {};
}

}  // namespace namesake::cuda
