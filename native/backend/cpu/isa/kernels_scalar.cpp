#define NAMESAKE_ISA scalar
#include "backend/cpu/isa/simd_scalar.h"

#include "backend/cpu/isa/kernel_table.h"

NAMESAKE_KERNEL_TABLE(kScalarKernels)
