#include "engine/moment.h"

#include "engine/arena.h"
#include "formats/dynamic_map.h"

namespace namesake {

bool has_codes(std::int64_t n, int state_bits) { return state_bits == 8 && n >= kLeastCodedValues; }

std::int64_t moment_blocks(std::int64_t n) { return (n + kDynamicBlock - 1) / kDynamicBlock; }

std::size_t moment_bytes(std::int64_t n, int state_bits) {
  const auto floats = [](std::int64_t count) { return Arena::padded(static_cast<std::size_t>(count) * sizeof(float)); };
  if (!has_codes(n, state_bits)) return floats(n);
  return Arena::padded(static_cast<std::size_t>(n)) + floats(moment_blocks(n));
}

Moment moment_in(std::byte* memory, std::int64_t n, int state_bits) {
  Moment moment;
  if (has_codes(n, state_bits)) {
    moment.codes = reinterpret_cast<std::uint8_t*>(memory);
    moment.absmax = reinterpret_cast<float*>(memory + Arena::padded(static_cast<std::size_t>(n)));
  } else {
    moment.values = reinterpret_cast<float*>(memory);
  }
  return moment;
}

}  // namespace namesake
