// Nf4Weights: linear layers as nf4, from their cache or quantised here, a matrix at a time.
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <vector>

#include "engine/arena.h"
#include "engine/nf4_cache.h"
#include "engine/stored_rows.h"
#include "namesake/model.h"

namespace namesake {

/// Owns the scales, and the mapped cache where there is one: matrices point into both.
class Nf4Weights {
 public:
  /// Of the matrices `shapes`, in the order in which they will be taken. `file` must outlive the taking; `path` and `folder` as
  /// in Nf4Cache.
  Nf4Weights(const WeightFile& file, const std::string& path, const std::string& folder, std::vector<Nf4Shape> shapes);

  /// Whether the matrices come out of a cache, and so take nothing of an arena where the backend reads them there.
  bool cached() const { return !cached_.empty(); }

  /// The next matrix, from the cache, or decoded by `threads` threads, quantised, and placed in `memory`. The file's pages of it
  /// may go. model.invalid where a value is not finite.
  Status take(const StoredRows& stored, int threads, Arena& memory, Matrix& matrix);

  /// After the last matrix: keeps what was quantised. Nothing fails here, see Nf4Cache.
  void finish();

 private:
  Status take_cached(std::size_t index, Arena& memory, const std::byte*& codes, Nf4Scales& scales);
  Status quantize(const StoredRows& stored, int threads, Arena& memory, const std::byte*& codes, Nf4Scales& scales);

  const WeightFile* file_;
  Nf4Cache cache_;
  std::vector<Nf4FileMatrix> cached_;
  std::deque<Nf4Scales> scales_;  // matrices point at them: they never move
};

}  // namespace namesake
