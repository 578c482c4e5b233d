// A tensor to write whose values are in a test's memory.
#pragma once

#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "formats/safetensors.h"

namespace namesake::test {

/// Of f32; `values` must outlive the writing.
inline TensorToWrite tensor_to_write(const std::string& name, std::vector<std::int64_t> shape, const float* values) {
  std::size_t count = 1;
  for (const std::int64_t dim : shape) count *= static_cast<std::size_t>(dim);
  return {name, std::move(shape), [values, count](std::byte* to) -> Status {
            std::memcpy(to, values, count * sizeof(float));
            return {};
          }};
}

}  // namespace namesake::test
