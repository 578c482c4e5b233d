#include "engine/packed.h"

#include <algorithm>
#include <utility>

namespace namesake {

namespace {

/// Below this the copies around attention cost more than the rows that they save.
constexpr std::int32_t kShortestPrefix = 4;

/// Tokens that all sequences begin with, position by position, before the first wanted row and the last token of any.
std::int32_t shared_prefix(std::span<const std::int32_t> ids, std::span<const std::int32_t> positions,
                           std::span<const std::int32_t> cu_seqlens, const std::vector<std::int32_t>& wanted) {
  const std::size_t S = cu_seqlens.size() - 1;
  if (S < 2) return 0;
  std::int32_t prefix = cu_seqlens[1] - cu_seqlens[0] - 1;
  std::size_t r = 0;
  for (std::size_t s = 0; s < S; ++s) {
    const std::int32_t begin = cu_seqlens[s], end = cu_seqlens[s + 1];
    prefix = std::min(prefix, end - begin - 1);
    if (r < wanted.size() && wanted[r] < end) prefix = std::min(prefix, wanted[r] - begin);
    while (r < wanted.size() && wanted[r] < end) ++r;
    for (std::int32_t i = 0; i < prefix; ++i) {
      const std::size_t here = static_cast<std::size_t>(begin + i), first = static_cast<std::size_t>(cu_seqlens[0] + i);
      if (ids[here] != ids[first] || positions[here] != positions[first]) prefix = i;
    }
  }
  return prefix < kShortestPrefix ? 0 : prefix;
}

}  // namespace

Packed pack(std::span<const std::int32_t> ids, std::span<const std::int32_t> positions,
            std::span<const std::int32_t> cu_seqlens, std::vector<std::int32_t> wanted) {
  Packed packed;
  const std::int32_t prefix = shared_prefix(ids, positions, cu_seqlens, wanted);
  packed.prefix = prefix;
  packed.ids.assign(ids.begin(), ids.begin() + prefix);
  packed.positions.assign(positions.begin(), positions.begin() + prefix);
  packed.own.push_back(prefix);
  packed.cu_seqlens.push_back(0);
  std::size_t r = 0;
  for (std::size_t s = 0; s + 1 < cu_seqlens.size(); ++s) {
    const std::int32_t begin = cu_seqlens[s] + prefix, end = cu_seqlens[s + 1];
    const std::int32_t shift = static_cast<std::int32_t>(packed.ids.size()) - begin;
    for (; r < wanted.size() && wanted[r] < end; ++r) wanted[r] += shift;
    packed.ids.insert(packed.ids.end(), ids.begin() + begin, ids.begin() + end);
    packed.positions.insert(packed.positions.end(), positions.begin() + begin, positions.begin() + end);
    packed.own.push_back(static_cast<std::int32_t>(packed.ids.size()));
    packed.cu_seqlens.push_back(packed.cu_seqlens.back() + end - cu_seqlens[s]);
  }
  packed.wanted = std::move(wanted);
  return packed;
}

std::vector<std::int32_t> rows_in(const Packed& whole, const std::vector<std::int32_t>& sequences, const Packed& part) {
  std::vector<std::int32_t> rows;
  // Tokens begin .. end of a sequence of `whole`.
  const auto add = [&](std::int32_t sequence, std::int64_t begin, std::int64_t end) {
    const std::int64_t own = whole.own[static_cast<std::size_t>(sequence)] - whole.prefix;
    for (std::int64_t i = begin; i < end; ++i) rows.push_back(static_cast<std::int32_t>(i < whole.prefix ? i : own + i));
  };
  if (sequences.empty()) return rows;
  add(sequences.front(), 0, part.prefix);
  for (std::size_t s = 0; s < sequences.size(); ++s) add(sequences[s], part.prefix, part.cu_seqlens[s + 1] - part.cu_seqlens[s]);
  return rows;
}

}  // namespace namesake
