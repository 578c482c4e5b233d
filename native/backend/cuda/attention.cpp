// Attention on the card. The host cuts the batch into tiles of rows of one sequence, which the kernels take as a list; what is longest
// goes first, so that the last blocks are short ones.
#include <algorithm>
#include <initializer_list>
#include <numeric>
#include <vector>

#include "backend/cuda/alignment.h"
#include "backend/cuda/kernels/attention_args.h"
#include "backend/cuda/kernels/attention_cached_args.h"
#include "backend/cuda/cuda_backend.h"

namespace namesake::cuda {
namespace {

constexpr Kernel<AttentionForwardArgs> kForward64{"attention_forward", "attention_forward_64"},
    kForward128{"attention_forward", "attention_forward_128"};
constexpr Kernel<AttentionRowsArgs> kRows{"attention_backward", "attention_backward_rows"};
constexpr Kernel<AttentionBackwardArgs> kKeys64{"attention_backward", "attention_backward_keys_64"},
    kKeys128{"attention_backward", "attention_backward_keys_128"}, kQueries64{"attention_backward", "attention_backward_queries_64"},
    kQueries128{"attention_backward", "attention_backward_queries_128"};
constexpr Kernel<KvWriteArgs> kKvWrite{"attention_cached", "kv_write"};
constexpr Kernel<AttentionCachedArgs> kPieces{"attention_cached", "attention_cached_pieces"},
    kJoin{"attention_cached", "attention_cached_join"};

/// Bytes of what pieces of keys give, for the rows of one launch (more, where one row needs more).
constexpr std::int64_t kPieceBytes = std::int64_t{8} << 20;

/// What attention_forward and attention_backward take of scratch. `tiles`: those of one list.
struct AttentionScratch {
  AttentionScratch(std::int64_t tile_count, std::int64_t M, std::int64_t H, bool backward)
      : key_tiles(plan.take(tile_count * std::int64_t(sizeof(AttentionTile)))),
        query_tiles(plan.take(tile_count * std::int64_t(sizeof(AttentionTile)))),
        rows(plan.take(backward ? M * H * std::int64_t(sizeof(AttentionRow)) : 0)),
        largest(plan.take(backward ? M * H * std::int64_t(sizeof(float)) : 0)) {}

  ScratchPlan plan;
  std::size_t key_tiles, query_tiles, rows, largest;
};

/// What attention_cached takes: the pieces of a few rows at a time, so that a long prompt needs no more than kPieceBytes.
struct CachedScratch {
  CachedScratch(std::int64_t M, std::int64_t H, std::int64_t D, std::int64_t keys) : count(ceil_div(keys, kCachedKeys)) {
    const std::int64_t pieces_bytes = H * count * std::int64_t(sizeof(CachedPiece));
    const std::int64_t outs_bytes = H * count * D * std::int64_t(sizeof(float));
    const std::int64_t row_bytes = pieces_bytes + outs_bytes;
    rows = std::min({M, kCachedRows, row_bytes > 0 ? std::max<std::int64_t>(1, kPieceBytes / row_bytes) : M});
    pieces = plan.take(rows * pieces_bytes);
    outs = plan.take(rows * outs_bytes);
    // Fewer keys let more rows in.
    most_bytes = static_cast<std::size_t>(std::min(std::min(M, kCachedRows) * row_bytes, std::max(kPieceBytes, row_bytes))) + 2 * 256;
  }

  ScratchPlan plan;
  std::int64_t count, rows;  // pieces of a row, rows of one launch
  std::size_t pieces, outs, most_bytes;
};

/// The tiles of a batch. Rows see keys up to their own where causal, so `by_keys` (each block loops over the queries of its keys) has
/// most to do at a sequence's begin, otherwise (each loops over the keys of its queries) at its end.
struct TileList {
  TileList(const std::int32_t* cu_seqlens, std::int64_t S, bool causal, bool by_keys) {
    for (std::int64_t s = 0; s < S; ++s) {
      const std::int32_t begin = cu_seqlens[s], length = cu_seqlens[s + 1] - begin;
      for (std::int32_t first = 0; first < length; first += kAttentionRows) tiles.push_back({begin, length, first});
    }
    const auto work = [&](const AttentionTile& tile) {
      return !causal ? tile.length : by_keys ? tile.length - tile.first : std::min(tile.first + kAttentionRows, tile.length);
    };
    std::stable_sort(tiles.begin(), tiles.end(), [&](const AttentionTile& a, const AttentionTile& b) { return work(a) > work(b); });
    for (const AttentionTile& tile : tiles) rows.push_back(double(ceil_div(work(tile), kAttentionRows) * kAttentionRows));
  }

  std::int64_t size() const { return static_cast<std::int64_t>(tiles.size()); }
  std::size_t bytes() const { return tiles.size() * sizeof(AttentionTile); }

  std::vector<AttentionTile> tiles;
  std::vector<double> rows;  // that each loops over, in whole tiles
};

Status check_head(const AttentionShape& shape) {
  if (shape.head_dim <= kWidestHead) return {};
  return Status::error(Code::recipe_unsupported, "attention heads of " + std::to_string(shape.head_dim) + " values: the card takes up to " +
                                                     std::to_string(kWidestHead));
}

/// `arrays`: all whose rows are heads.
AttentionSizes sizes_of(const AttentionShape& shape, std::initializer_list<const void*> arrays) {
  const auto small = [](std::int64_t n) { return static_cast<std::int32_t>(n); };
  return {nullptr, small(shape.heads), small(shape.kv_heads), small(shape.head_dim), 0, shape.causal,
          takes_fours(shape.head_dim, arrays), shape.scale};
}

/// What one launch of attention has of a list, and how many products and sums that is.
struct AttentionPart {
  std::int64_t head, heads, tile, tiles;
  double flop;
};

/// run(part) over all tiles of `heads` heads, as many heads at a time as fit into `most` products and sums, or as many tiles of one;
/// a row that a tile loops over takes `flop`.
template <class Run>
Status over_parts(const TileList& list, std::int64_t heads, double flop, double most, const Run& run) {
  const double whole = flop * std::accumulate(list.rows.begin(), list.rows.end(), 0.0);
  if (whole <= most) {
    const std::int64_t at_once = std::min(heads, static_cast<std::int64_t>(std::min(most / whole, double(heads))));
    for (std::int64_t head = 0; head < heads; head += at_once) {
      const std::int64_t count = std::min(at_once, heads - head);
      NAMESAKE_TRY(run(AttentionPart{head, count, 0, list.size(), whole * double(count)}));
    }
    return {};
  }
  for (std::int64_t head = 0; head < heads; ++head) {
    for (std::int64_t tile = 0; tile < list.size();) {
      AttentionPart part{head, 1, tile, 0, 0};
      do {
        part.flop += flop * list.rows[static_cast<std::size_t>(tile++)];
        ++part.tiles;
      } while (tile < list.size() && part.flop + flop * list.rows[static_cast<std::size_t>(tile)] <= most);
      NAMESAKE_TRY(run(part));
    }
  }
  return {};
}

std::int64_t padded(std::int64_t D) { return D <= 64 ? 64 : 128; }

}  // namespace

std::size_t attention_scratch(const Workload& work) {
  // A sequence may be as short as one row.
  const AttentionScratch packed(work.rows, work.rows, work.heads, work.backward);
  const CachedScratch cached(work.rows, work.heads, work.head_dim, work.cached_keys);
  return std::max(packed.plan.bytes(), work.cached_keys > 0 ? cached.most_bytes : 0);
}

Status CudaBackend::attention_forward(const float* q, const float* k, const float* v, const std::int32_t* cu_seqlens, std::int64_t S,
                                      const AttentionShape& shape, float* o, float* lse) {
  NAMESAKE_TRY(check_head(shape));
  const TileList tiles(cu_seqlens, S, shape.causal, false);
  if (tiles.size() == 0) return {};
  const std::int64_t H = shape.heads, D = shape.head_dim;
  const AttentionScratch need(tiles.size(), 0, H, false);
  const auto memory = scratch(need.plan.bytes());
  if (!memory.ok()) return memory.status();
  NAMESAKE_TRY(upload(memory.value() + need.query_tiles, tiles.tiles.data(), tiles.bytes()));
  AttentionForwardArgs args{sizes_of(shape, {q, k, v, o}), q, k, v, o, lse};
  const double flop = 4 * kAttentionRows * double(padded(D));  // q k and p v, of a tile with one row
  return over_parts(tiles, H, flop, launch_flop_, [&](const AttentionPart& part) {
    args.sizes.tiles = reinterpret_cast<const AttentionTile*>(memory.value() + need.query_tiles) + part.tile;
    args.sizes.first_head = static_cast<std::int32_t>(part.head);
    return launch(D <= 64 ? kForward64 : kForward128, {{part.tiles, part.heads}, {kAttentionThreads}}, {part.flop, 0}, args);
  });
}

Status CudaBackend::attention_backward(const float* do_, const float* q, const float* k, const float* v, const float* o, const float* lse,
                                       const std::int32_t* cu_seqlens, std::int64_t S, const AttentionShape& shape, float* dq, float* dk,
                                       float* dv) {
  NAMESAKE_TRY(check_head(shape));
  const TileList key_tiles(cu_seqlens, S, shape.causal, true), query_tiles(cu_seqlens, S, shape.causal, false);
  if (key_tiles.size() == 0) return {};
  const std::int64_t M = cu_seqlens[S], H = shape.heads, G = shape.kv_heads, D = shape.head_dim;
  const AttentionScratch need(key_tiles.size(), M, H, true);
  const auto memory = scratch(need.plan.bytes());
  if (!memory.ok()) return memory.status();
  NAMESAKE_TRY(upload(memory.value() + need.key_tiles, key_tiles.tiles.data(), key_tiles.bytes()));
  NAMESAKE_TRY(upload(memory.value() + need.query_tiles, query_tiles.tiles.data(), query_tiles.bytes()));

  auto* rows = reinterpret_cast<AttentionRow*>(memory.value() + need.rows);
  auto* largest = reinterpret_cast<float*>(memory.value() + need.largest);
  constexpr std::int64_t rows_a_block = kAttentionThreads / 32;
  NAMESAKE_TRY(launch(kRows, {{ceil_div(M * H, rows_a_block)}, {kAttentionThreads}}, moves(M * H * (2 * D + 4)),
                      AttentionRowsArgs{do_, o, lse, rows, largest, M, static_cast<std::int32_t>(H), static_cast<std::int32_t>(D)}));

  AttentionBackwardArgs args{sizes_of(shape, {do_, q, k, v, dq, dk, dv}), do_, q, k, v, rows, largest, dq, dk, dv, M};
  const auto run = [&](const Kernel<AttentionBackwardArgs>& kernel, std::size_t list, const TileList& tiles, std::int64_t heads,
                       double flop) {
    return over_parts(tiles, heads, flop, launch_flop_, [&](const AttentionPart& part) {
      args.sizes.tiles = reinterpret_cast<const AttentionTile*>(memory.value() + list) + part.tile;
      args.sizes.first_head = static_cast<std::int32_t>(part.head);
      return launch(kernel, {{part.tiles, part.heads}, {kAttentionThreads}}, {part.flop, 0}, args);
    });
  };
  const double product = 2.0 * kAttentionRows * double(padded(D));  // of a tile with one row
  // q k, do v, p do and ds q, for each query head of the group.
  NAMESAKE_TRY(run(D <= 64 ? kKeys64 : kKeys128, need.key_tiles, key_tiles, G, 4 * product * double(H / G)));
  // q k, do v and ds k.
  return run(D <= 64 ? kQueries64 : kQueries128, need.query_tiles, query_tiles, H, 3 * product);
}

Status CudaBackend::kv_write(const float* k, const float* v, const std::int32_t* slots, const std::int32_t* positions, std::int64_t M,
                             std::int64_t kv_heads, std::int64_t head_dim, const KvView& cache) {
  const std::int64_t width = kv_heads * head_dim;
  KvWriteArgs args{k, v, cache.k, cache.v, cache.capacity, width, takes_fours(width, {k, v, cache.k, cache.v}), {}};
  for (std::int64_t first = 0; first < M; first += kCachedRows) {
    const std::int64_t rows = std::min(kCachedRows, M - first);
    args.k = k + first * width;
    args.v = v + first * width;
    std::copy_n(slots + first, rows, args.places.slots);
    std::copy_n(positions + first, rows, args.places.positions);
    NAMESAKE_TRY(launch(kKvWrite, {{rows}, {kCachedThreads}}, moves(4 * rows * width), args));
  }
  return {};
}

Status CudaBackend::attention_cached(const float* q, const std::int32_t* slots, const std::int32_t* positions, std::int64_t M,
                                     const AttentionShape& shape, const KvView& cache, float* o) {
  NAMESAKE_TRY(check_head(shape));
  if (M == 0) return {};
  const std::int64_t H = shape.heads, G = shape.kv_heads, D = shape.head_dim;
  const CachedScratch need(M, H, D, *std::max_element(positions, positions + M) + 1);
  const auto memory = scratch(need.plan.bytes());
  if (!memory.ok()) return memory.status();
  AttentionCachedArgs args{q,
                           cache.k,
                           cache.v,
                           reinterpret_cast<CachedPiece*>(memory.value() + need.pieces),
                           reinterpret_cast<float*>(memory.value() + need.outs),
                           o,
                           cache.capacity,
                           0,
                           static_cast<std::int32_t>(H),
                           static_cast<std::int32_t>(G),
                           static_cast<std::int32_t>(D),
                           takes_fours(D, {cache.k, cache.v}),
                           shape.scale,
                           {}};
  const std::int64_t parts = ceil_div(H / G, kCachedHeads);
  for (std::int64_t first = 0; first < M; first += need.rows) {
    const std::int64_t rows = std::min(need.rows, M - first);
    args.q = q + first * H * D;
    args.o = o + first * H * D;
    args.count = static_cast<std::int32_t>(*std::max_element(positions + first, positions + first + rows) / kCachedKeys + 1);
    std::copy_n(slots + first, rows, args.places.slots);
    std::copy_n(positions + first, rows, args.places.positions);
    const std::int64_t keys = rows * args.count * kCachedKeys, outs = rows * H * args.count * (D + 2);
    const Work pieces{4.0 * static_cast<double>(keys) * static_cast<double>(H * D), moves(2 * keys * G * parts * D + outs).bytes};
    NAMESAKE_TRY(launch(kPieces, {{args.count, G * parts, rows}, {kCachedThreads}}, pieces, args));
    NAMESAKE_TRY(launch(kJoin, {{H, rows}, {kCachedThreads}}, moves(outs), args));
  }
  return {};
}

}  // namespace namesake::cuda
