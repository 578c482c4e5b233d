// WeightFile: what a model's weights are read from, whatever the format. A GGUF file is one, a folder of safetensors another.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "formats/blocks.h"

namespace namesake {

/// One tensor as it is stored.
struct StoredTensor {
  std::string name;
  std::vector<std::int64_t> shape;  ///< outermost first: a linear layer is {out, in}, a vector {n}
  Matrix matrix;                    ///< cols = the innermost dimension, rows = all others; data is the file's own
};

/// An open file (or several as one). Its tensors point into it, so it must outlive them.
class WeightFile {
 public:
  virtual ~WeightFile() = default;

  virtual std::uint64_t file_size() const = 0;  ///< bytes, of all files together
  virtual const std::vector<StoredTensor>& tensors() const = 0;
  virtual const StoredTensor* tensor(std::string_view name) const = 0;  ///< nullptr if absent

  /// The machine may drop the mapped pages of a matrix that has been converted; it stays readable.
  virtual void release_pages(const Matrix& matrix) const = 0;
};

}  // namespace namesake
