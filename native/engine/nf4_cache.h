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

/// What a cache belongs to: the checksum of the file's directory (names, types, shapes, places) and of samples of every tensor's
/// bytes. So a model that was exchanged, trained further or merged is quantised anew, even where name, size and date are the
/// same, without reading gigabytes at each opening. What it cannot see is an edit of single bytes between the samples.
std::uint64_t nf4_source_key(const WeightFile& file);

/// The cache of one model: `namesake-nf4-KEY.bin` in the model's folder (beside a file), or in a folder of the caller's where
/// that one takes no file. Nothing here fails a model's opening: what cannot be read is made again, what cannot be written is
/// left out. Two processes that write the same cache at once write the same bytes, and what they leave is checked as any other.
class Nf4Cache {
 public:
  /// `path` is the model's file or folder; `folder` may be empty.
  Nf4Cache(const WeightFile& file, const std::string& path, const std::string& folder, std::vector<Nf4Shape> shapes);

  /// Maps a cache that is there and whole; the matrices in the order of the shapes, pointing into it. Empty where there is none.
  const std::vector<Nf4FileMatrix>& open();

  /// Begins a new one; add every matrix in order, then finish. Each does nothing once something could not be written.
  void begin();
  void add(const Nf4Matrix& matrix);
  void finish();

 private:
  std::uint64_t key_;
  std::vector<Nf4Shape> shapes_;
  std::vector<std::string> places_;  ///< paths, the first choice first
  MappedFile mapping_;
  std::vector<Nf4FileMatrix> matrices_;
  std::optional<Nf4FileWriter> writer_;
};

}  // namespace namesake
