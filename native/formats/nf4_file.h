// Nf4File: quantised matrices one after the other, so that a model is quantised once and mapped from then on.
//
// | bytes | what |
// |---|---|
// | 8 | "NSKNF4" and two zeros |
// | 4 | version of the format: 1; it changes with the rules of quantisation, too |
// | 4 | number of matrices |
// | 8 | key: what the matrices were made from |
// | 8 | bytes of the file |
// | 32 | 0 |
// | … | of each matrix: offset (f32), codes, absmax, nested; each from a multiple of 64 on, zeros between |
// | 64 | checksum of everything before, and zeros |
//
// Little-endian. The reader knows the matrices that it wants: no length is read from the file, all are compared with it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "formats/atomic_file.h"
#include "formats/checksum.h"
#include "formats/nf4.h"

namespace namesake {

/// One matrix in such a file; points into its bytes.
struct Nf4FileMatrix {
  const std::byte* codes = nullptr;
  Nf4Scales scales;
};

/// Bytes of a file of these matrices.
std::uint64_t nf4_file_size(const std::vector<Nf4Shape>& shapes);

/// The matrices in `size` bytes at `data` (64-byte aligned). model.invalid for another format, key or size, or a wrong checksum;
/// every byte is read for that.
Result<std::vector<Nf4FileMatrix>> parse_nf4_file(const std::byte* data, std::size_t size, std::uint64_t key,
                                                  const std::vector<Nf4Shape>& shapes);

/// Writes such a file, a matrix at a time; it is there once commit() is done. Errors as AtomicFile's.
class Nf4FileWriter {
 public:
  static Result<Nf4FileWriter> create(const std::string& path, std::uint64_t key, const std::vector<Nf4Shape>& shapes);
  /// The next matrix, of the shape that was announced.
  Status add(const Nf4Matrix& matrix);
  Status commit();

 private:
  explicit Nf4FileWriter(AtomicFile file) : file_(std::move(file)) {}
  Status section(const void* data, std::size_t size);

  AtomicFile file_;
  Checksum checksum_;
};

}  // namespace namesake
