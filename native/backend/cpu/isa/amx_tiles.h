// The tile registers of AMX, of the thread that runs. Instructions are written out: GCC 12's intrinsics say of ldtilecfg that it
// reads 8 bytes, so that the other 56 are never stored, and nothing of the memory that tiles are loaded from.
#pragma once

#include "backend/cpu/isa/tile_config.h"

namespace namesake::cpu {
namespace {

/// Strides are bytes from row to row. A thread may use tiles once the process has leave to (ARCH_REQ_XCOMP_PERM on Linux).
struct AmxTiles {
  /// All tiles become 0.
  static inline void configure(const TileConfig& config) { asm volatile("ldtilecfg %0" ::"m"(config) : "memory"); }
  /// Tiles hold nothing from here on, and a switch of threads saves nothing of them.
  static inline void release() { asm volatile("tilerelease" ::: "memory"); }

  template <int tile>
  static inline void zero() {
    asm volatile("tilezero %%tmm%c0" ::"i"(tile));
  }
  template <int tile>
  static inline void load(const float* from, int64_t stride) {
    asm volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(from), "r"(stride), "i"(tile) : "memory");
  }
  /// The same for what is read once: it shall not push out of the cache what is read again.
  template <int tile>
  static inline void load_streamed(const float* from, int64_t stride) {
    asm volatile("tileloaddt1 (%0,%1,1), %%tmm%c2" ::"r"(from), "r"(stride), "i"(tile) : "memory");
  }
  template <int tile>
  static inline void store(float* to, int64_t stride) {
    asm volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(to), "r"(stride), "i"(tile) : "memory");
  }
  /// c += a b of words of two bf16: a [rows][words], b [words][columns], c [rows][columns].
  template <int c, int a, int b>
  static inline void multiply() {
    asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(c), "i"(a), "i"(b));
  }
};

}  // namespace
}  // namespace namesake::cpu
