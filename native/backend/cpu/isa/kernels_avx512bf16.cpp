// Products of an AVX-512 with BF16: operands rounded to bf16, two of them a word, sums in f32 (vdpbf16ps). Subnormals count as 0.
#if defined(__GNUC__) && !defined(__clang__)
// GCC 12's AVX-512 intrinsics start from "undefined" vectors that it then warns about (gcc.gnu.org/PR105593).
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#define NAMESAKE_ISA avx512
#include "backend/cpu/isa/simd_avx512.h"

#include "backend/cpu/isa/blocks_x86.h"
#include "backend/cpu/isa/pack_kernels.h"
#include "backend/cpu/isa/tile_kernels.h"
#include "backend/cpu/isa/bf16_kernels.h"

namespace namesake::cpu::avx512 {
namespace {

struct Bf16Product {
  static inline V accumulate(V x, V column, V sum) {
    return _mm512_dpbf16_ps(sum, (__m512bh)_mm512_castps_si512(x), (__m512bh)_mm512_castps_si512(column));
  }
  static inline V chain(V sum, V x, V y) { return accumulate(x, y, sum); }
};

inline void narrow_columns(float* x, int64_t n) {
  for (int64_t i = 0; i < n; i += 2) {
    const float* at = x + i * kPanel;
    const V first[2] = {load(at), load(at + kLanes)};
    V second[2] = {zero(), zero()};
    if (i + 1 < n) {
      second[0] = load(at + kPanel);
      second[1] = load(at + kPanel + kLanes);
    }
#pragma GCC unroll 2
    for (int v = 0; v < 2; ++v) store(x + i / 2 * kPanel + v * kLanes, pair(first[v], second[v]));
  }
}

}  // namespace
}  // namespace namesake::cpu::avx512

namespace namesake::cpu {
using namespace avx512;
const Products kAvx512Bf16Products = {Bf16Words::kValues, kTileRows, kWidth, 1, pack_rows<Bf16Words>, pack_columns<Bf16Words>,
                                      pack_slice_pairs, narrow_columns, tile<Bf16Product>, nullptr, burst<Bf16Product>,
                                      burst_flops(Bf16Words::kValues)};
}  // namespace namesake::cpu
