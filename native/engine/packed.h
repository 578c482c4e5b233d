// Packed: the sequences of a batch as the graph computes them. What all of them begin with (a system text) is one sequence's
// work: causal attention gives those tokens the same hidden states in each, so they are computed once and only attention
// sees them in front of every sequence. Hidden states and losses have the same bits as without, gradients the same terms in
// another order. Of short conversations a third is such a beginning.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace namesake {

/// Rows are tokens: first the `prefix` shared ones, then each sequence's own.
struct Packed {
  std::vector<std::int32_t> ids;         ///< [M]
  std::vector<std::int32_t> positions;   ///< [M]
  std::int64_t prefix = 0;               ///< shared rows, 0 = none
  std::vector<std::int32_t> own;         ///< [S + 1] sequence s owns rows own[s]..own[s + 1]; own[0] = prefix
  std::vector<std::int32_t> cu_seqlens;  ///< [S + 1] the sequences written out, each with the prefix in front: E rows in all
  std::vector<std::int32_t> wanted;      ///< [P] the rows, ascending, whose hidden states somebody looks at; empty = all

  std::int64_t tokens() const { return static_cast<std::int64_t>(ids.size()); }
  std::int64_t sequences() const { return static_cast<std::int64_t>(own.size()) - 1; }
  std::int64_t expanded() const { return cu_seqlens.back(); }
  /// P, or M where all are wanted: behind the last layer's attention no other row plays a part.
  std::int64_t outputs() const { return wanted.empty() ? tokens() : static_cast<std::int64_t>(wanted.size()); }
};

/// Packs sequences; sequence s is tokens cu_seqlens[s]..cu_seqlens[s + 1] of ids and positions. `wanted` are ascending indices of
/// tokens, which become rows of the result: none of them lies in a shared prefix. None: all rows of the result.
Packed pack(std::span<const std::int32_t> ids, std::span<const std::int32_t> positions,
            std::span<const std::int32_t> cu_seqlens, std::vector<std::int32_t> wanted);

/// Where the rows of `part`, which has those `sequences` (ascending) of `whole`, lie in it: ascending, [M of part]. Of what all sequences
/// of `part` begin with, the first one's rows.
std::vector<std::int32_t> rows_in(const Packed& whole, const std::vector<std::int32_t>& sequences, const Packed& part);

}  // namespace namesake
