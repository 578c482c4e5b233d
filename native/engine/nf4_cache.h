// Nf4Cache: quantised weights kept on disk, so that a model is quantised once.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "formats/mapped_file.h"
#include "formats/nf4_file.h"
#include "formats/weight_file.h"

namespace namesake {

/// What a cache belongs to: the checksum of the names, sizes and times of the model's files, of the directory of its tensors
/// (names, types, shapes) and of samples of every tensor's bytes. So a model that was exchanged, trained further or edited is
/// quantised anew, without reading gigabytes at each opening; one that was copied is, too. `path` is the model's file or folder.
std::uint64_t nf4_source_key(const WeightFile& file, const std::string& path);

/// The cache of one model: `namesake-nf4-KEY.bin` in a folder that is the program's own. A model's folder may come from anywhere:
/// it could bring a cache of other weights, or a link where one would be written. Nothing here fails a model's opening: what cannot
/// be read is made again, what cannot be written is left out. Two processes that write the same cache at once write the same
/// bytes, and what they leave is checked as any other.
class Nf4Cache {
 public:
  /// `path` is the model's file or folder; without a `folder`, or without shapes, nothing is kept.
  Nf4Cache(const WeightFile& file, const std::string& path, const std::string& folder, std::vector<Nf4Shape> shapes);

  /// Maps a cache that is there and whole; the matrices in the order of the shapes, pointing into it. Empty where there is none.
  const std::vector<Nf4FileMatrix>& open();

  /// The shape of matrix `index`.
  const Nf4Shape& shape(std::size_t index) const { return shapes_[index]; }
  /// The machine may drop the pages of matrix `index` of those that open() gave; they stay readable.
  void release_pages(std::size_t index) const;

  /// Begins a new one; add every matrix in order, then finish. Each does nothing once something could not be written.
  void begin();
  void add(const Nf4Matrix& matrix);
  void finish();

 private:
  std::uint64_t key_;
  std::vector<Nf4Shape> shapes_;
  std::string path_;  ///< empty: nothing is kept
  MappedFile mapping_;
  std::vector<Nf4FileMatrix> matrices_;
  std::optional<Nf4FileWriter> writer_;
};

}  // namespace namesake
