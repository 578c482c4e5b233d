// Products of amx_kernels.h on a software tile file.
#if defined(__x86_64__)
#if defined(__GNUC__) && !defined(__clang__)
// GCC 12's AVX-512 intrinsics start from "undefined" vectors that it then warns about (gcc.gnu.org/PR105593).
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#define NAMESAKE_ISA avx512
#include "backend/cpu/isa/simd_avx512.h"

#include "backend/cpu/isa/blocks_x86.h"
#include "backend/cpu/isa/pack_kernels.h"
#include "backend/cpu/isa/bf16_kernels.h"
#include "backend/amx/soft_tiles.h"
#include "backend/cpu/isa/amx_kernels.h"

namespace namesake::test {
extern const cpu::Products kSoftTileProducts;
const cpu::Products kSoftTileProducts = cpu::avx512::kProductsByTiles<SoftTiles>;
}  // namespace namesake::test
#endif
