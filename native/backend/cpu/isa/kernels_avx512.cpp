#if defined(__GNUC__) && !defined(__clang__)
// GCC 12's AVX-512 intrinsics start from "undefined" vectors that it then warns about (gcc.gnu.org/PR105593).
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#define NAMESAKE_ISA avx512
#include "backend/cpu/isa/simd_avx512.h"

#include "backend/cpu/isa/blocks_x86.h"
#include "backend/cpu/isa/kernel_table.h"

NAMESAKE_KERNEL_TABLE(kAvx512Kernels)
