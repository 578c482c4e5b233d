// Included by every file of kernels.
#pragma once
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <mma.h>
#include <stdint.h>

#define K extern "C" __global__
#define HAS_ASYNC_COPY (__CUDA_ARCH__ >= 800 || !defined(__CUDA_ARCH__))

#if HAS_ASYNC_COPY
__device__ __forceinline__ void cpa16(void* s, const void* g) {
  uint32_t sa = (uint32_t)__cvta_generic_to_shared(s);
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(sa), "l"(g));
}
#endif
