// AMX's tile registers in plain C++: what a CPU without them runs the kernels of amx_kernels.h on. By Intel's manual ("Intel 64 and
// IA-32 Architectures Software Developer's Manual", volume 2, LDTILECFG to TILEZERO and TDPBF16PS).
#pragma once

#include <cstdint>

#include "backend/cpu/isa/tile_config.h"

namespace namesake::test {

/// The tiles of one thread. What the CPU would refuse ends the program with a word about it.
class TileFile {
 public:
  static TileFile& of_this_thread();

  /// Whether tiles are in use: from configure to release.
  bool configured() const { return config_.palette != 0; }
  void configure(const cpu::TileConfig& config);
  void release();
  void zero(int tile);
  void load(int tile, const void* from, std::int64_t stride);
  void store(int tile, void* to, std::int64_t stride) const;
  /// tdpbf16ps: an element's sums of first and of second halves of words are two chains of fused multiply-adds, whose sum is added to
  /// C. Round to nearest even, subnormals are 0 on the way in and out.
  void multiply(int c, int a, int b);

 private:
  static constexpr int kRows = 16, kBytes = 64;

  void need(bool fine, const char* what) const;
  void need_tile(int tile) const;

  cpu::TileConfig config_ = {};
  alignas(64) unsigned char data_[8][kRows][kBytes] = {};
};

/// In the place of cpu::AmxTiles.
struct SoftTiles {
  static void configure(const cpu::TileConfig& config) { TileFile::of_this_thread().configure(config); }
  static void release() { TileFile::of_this_thread().release(); }
  template <int tile>
  static void zero() {
    TileFile::of_this_thread().zero(tile);
  }
  template <int tile>
  static void load(const float* from, std::int64_t stride) {
    TileFile::of_this_thread().load(tile, from, stride);
  }
  template <int tile>
  static void load_streamed(const float* from, std::int64_t stride) {
    TileFile::of_this_thread().load(tile, from, stride);
  }
  template <int tile>
  static void store(float* to, std::int64_t stride) {
    TileFile::of_this_thread().store(tile, to, stride);
  }
  template <int c, int a, int b>
  static void multiply() {
    TileFile::of_this_thread().multiply(c, a, b);
  }
};

}  // namespace namesake::test
