// TileConfig: what AMX's ldtilecfg reads.
#pragma once

#include <stdint.h>

namespace namesake::cpu {

/// Palette 1: eight tiles of at most 16 rows of at most 64 bytes. A tile of no rows must have no bytes either.
struct TileConfig {
  uint8_t palette;
  uint8_t start_row;
  uint8_t reserved[14];
  uint16_t row_bytes[16];
  uint8_t rows[16];
};
static_assert(sizeof(TileConfig) == 64);

}  // namespace namesake::cpu
