#define NAMESAKE_ISA avx2
#include "backend/cpu/isa/simd_avx2.h"

#include "backend/cpu/isa/blocks_x86.h"
#include "backend/cpu/isa/kernel_table.h"

NAMESAKE_KERNEL_TABLE(kAvx2Kernels)
