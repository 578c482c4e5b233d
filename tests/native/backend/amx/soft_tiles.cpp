#include "backend/amx/soft_tiles.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

namespace namesake::test {

namespace {

constexpr float kLeastNormal = 0x1p-126f;

inline float flush(float x) { return __builtin_fabsf(x) < kLeastNormal ? __builtin_copysignf(0.0f, x) : x; }

/// A bf16 as f32.
inline float widen(unsigned bits) {
  float x;
  bits <<= 16;
  memcpy(&x, &bits, sizeof x);
  return flush(x);
}

}  // namespace

TileFile& TileFile::of_this_thread() {
  static thread_local TileFile file;
  return file;
}

void TileFile::need(bool fine, const char* what) const {
  if (fine) return;
  fprintf(stderr, "a tile instruction that a CPU refuses: %s\n", what);
  abort();
}

void TileFile::need_tile(int tile) const {
  need(configured(), "tiles are not configured");
  need(tile >= 0 && tile < 8 && config_.rows[tile] > 0, "there is no such tile");
}

void TileFile::configure(const cpu::TileConfig& config) {
  need(config.palette == 1 && config.start_row == 0, "the palette");
  for (unsigned char byte : config.reserved) need(byte == 0, "bytes that must be 0");
  for (int tile = 0; tile < 16; ++tile) {
    need(config.rows[tile] <= kRows && config.row_bytes[tile] <= kBytes, "a tile that is too large");
    need((config.rows[tile] == 0) == (config.row_bytes[tile] == 0), "a tile with rows or bytes alone");
    need(tile < 8 || config.rows[tile] == 0, "a ninth tile");
  }
  config_ = config;
  memset(data_, 0, sizeof data_);
}

void TileFile::release() {
  config_ = {};
  memset(data_, 0, sizeof data_);
}

void TileFile::zero(int tile) {
  need_tile(tile);
  memset(data_[tile], 0, sizeof data_[tile]);
}

void TileFile::load(int tile, const void* from, std::int64_t stride) {
  zero(tile);
  for (int row = 0; row < config_.rows[tile]; ++row) {
    memcpy(data_[tile][row], static_cast<const char*>(from) + row * stride, config_.row_bytes[tile]);
  }
}

void TileFile::store(int tile, void* to, std::int64_t stride) const {
  need_tile(tile);
  for (int row = 0; row < config_.rows[tile]; ++row) {
    memcpy(static_cast<char*>(to) + row * stride, data_[tile][row], config_.row_bytes[tile]);
  }
}

void TileFile::multiply(int c, int a, int b) {
  need_tile(c);
  need_tile(a);
  need_tile(b);
  need(c != a && c != b && a != b, "operands that are not three tiles");
  need(config_.rows[c] == config_.rows[a] && config_.row_bytes[c] == config_.row_bytes[b] &&
           config_.row_bytes[a] == 4 * config_.rows[b],
       "operands whose sizes do not meet");
  constexpr int kColumns = kBytes / 4;
  alignas(64) float first[kRows][kColumns], second[kRows][kColumns];  // of B's words
  for (int k = 0; k < config_.rows[b]; ++k) {
    for (int n = 0; n < kColumns; ++n) {
      unsigned word;
      memcpy(&word, data_[b][k] + 4 * n, sizeof word);
      first[k][n] = widen(word & 0xffff);
      second[k][n] = widen(word >> 16);
    }
  }
  for (int m = 0; m < config_.rows[a]; ++m) {
    alignas(64) float firsts[kColumns] = {}, seconds[kColumns] = {}, sums[kColumns];
    for (int k = 0; k < config_.rows[b]; ++k) {
      unsigned word;
      memcpy(&word, data_[a][m] + 4 * k, sizeof word);
      const float x = widen(word & 0xffff), y = widen(word >> 16);
      for (int n = 0; n < kColumns; ++n) firsts[n] = flush(__builtin_fmaf(x, first[k][n], firsts[n]));
      for (int n = 0; n < kColumns; ++n) seconds[n] = flush(__builtin_fmaf(y, second[k][n], seconds[n]));
    }
    memcpy(sums, data_[c][m], sizeof sums);
    for (int n = 0; n < kColumns; ++n) sums[n] = flush(flush(sums[n]) + flush(firsts[n] + seconds[n]));
    memcpy(data_[c][m], sums, config_.row_bytes[c]);
  }
}

}  // namespace namesake::test
