// Placed matrix: where a backend wants a frozen matrix, as a model places its weights.
#pragma once

#include <algorithm>
#include <vector>

#include "backend/fixture.h"
#include "formats/nf4.h"

namespace namesake::test {

/// A matrix of the host's memory, in that of the backend where it does not read the host's, between guards of NaN bytes.
class PlacedMatrix {
 public:
  PlacedMatrix(Backend& backend, const Matrix& host) : backend_(backend), matrix_(host) {
    if (backend.reads_host_memory()) return;
    const Nf4Shape nf4{host.rows, host.cols};
    const std::int64_t bytes = host.rows * row_bytes(host.type, host.cols);
    matrix_.data = place(host.data, bytes);
    if (host.nf4 == nullptr) return;
    scales_ = *host.nf4;
    scales_.absmax = reinterpret_cast<const std::uint8_t*>(place(host.nf4->absmax, nf4.blocks()));
    scales_.nested = reinterpret_cast<const float*>(place(host.nf4->nested, nf4.nested() * std::int64_t(sizeof(float))));
    matrix_.nf4 = &scales_;
  }
  ~PlacedMatrix() {
    for (void* memory : memory_) backend_.release(memory);
  }
  PlacedMatrix(const PlacedMatrix&) = delete;
  PlacedMatrix& operator=(const PlacedMatrix&) = delete;

  const Matrix& matrix() const { return matrix_; }

 private:
  static constexpr std::int64_t kGuard = 64;

  const std::byte* place(const void* from, std::int64_t bytes) {
    std::vector<std::byte> all(static_cast<std::size_t>(bytes + 2 * kGuard), std::byte{0xff});
    std::copy_n(static_cast<const std::byte*>(from), bytes, all.begin() + kGuard);
    auto made = backend_.allocate(all.size());
    REQUIRE(made.ok());
    memory_.push_back(made.value());
    REQUIRE(backend_.upload(made.value(), all.data(), all.size()).ok());
    return static_cast<const std::byte*>(made.value()) + kGuard;
  }

  Backend& backend_;
  Matrix matrix_;
  Nf4Scales scales_;
  std::vector<void*> memory_;
};

}  // namespace namesake::test
