// Moment: how one of AdamW's two moments of a trainable lies in memory, in 32 bits or in 8.
#pragma once

#include <cstddef>
#include <cstdint>

#include "namesake/model.h"

namespace namesake {

/// Tensors of fewer values keep moments of f32, as in bitsandbytes: they save little, and a block of 256 is much of them.
inline constexpr std::int64_t kLeastCodedValues = 4096;

/// Whether a moment of n values has codes, with optimizer states of `state_bits`.
bool has_codes(std::int64_t n, int state_bits);

/// Absmax values of a moment of n values in codes.
std::int64_t moment_blocks(std::int64_t n);

/// Bytes of one moment of n values: whole cache lines.
std::size_t moment_bytes(std::int64_t n, int state_bits);

/// A moment of n values in `memory`, which has moment_bytes of them.
Moment moment_in(std::byte* memory, std::int64_t n, int state_bits);

}  // namespace namesake
