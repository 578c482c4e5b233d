// Staging: the way from host memory to the card's, through memory that the card reads by itself.
#pragma once

#include <array>
#include <cstddef>
#include <memory>

#include "backend/cuda/context.h"

namespace namesake::cuda {

/// Four megabytes that stay in place (pinned). A copy from other memory would make the host wait for the stream, or leave open when
/// it may change. Its context must outlive it and be current.
class Staging {
 public:
  explicit Staging(const Context& context) : context_(context) {}
  ~Staging();
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;

  /// Copies `bytes` to `to` behind all that the stream was given. The host may change `from` as soon as this returns.
  Status upload(CUdeviceptr to, const void* from, std::size_t bytes);

 private:
  static constexpr std::size_t kPartBytes = std::size_t{1} << 20;

  struct Part {
    std::byte* memory = nullptr;
    std::size_t used = 0;
    std::unique_ptr<Event> free;  // behind the last copy out of it
  };
  Status next_part();

  const Context& context_;
  std::array<Part, 4> parts_;
  std::size_t current_ = 0;
};

}  // namespace namesake::cuda
