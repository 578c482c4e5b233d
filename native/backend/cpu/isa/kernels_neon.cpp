#define NAMESAKE_ISA neon
#include "backend/cpu/isa/simd_neon.h"

#include "backend/cpu/isa/blocks_neon.h"
#include "backend/cpu/isa/kernel_table.h"

NAMESAKE_KERNEL_TABLE(kNeonKernels)
