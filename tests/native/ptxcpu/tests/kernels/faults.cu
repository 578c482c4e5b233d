// Deliberately broken.
#include "common.cuh"

K void bad_oob(float* a, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  a[i] = 1.f;
}
K void bad_nosync(const float* x, float* y) {  // reversal through shared memory without barrier
  __shared__ float s[256];
  s[threadIdx.x] = x[threadIdx.x];
  y[threadIdx.x] = s[255 - threadIdx.x];
}
K void bad_uninit(float* scratch, float* y) { y[threadIdx.x] = scratch[threadIdx.x] + 1.f; }
K void bad_barrier(float* y, int n) {
  if (threadIdx.x < n) __syncthreads();
  y[threadIdx.x] = 1;
  if (threadIdx.x < 3 && n == 7) __syncthreads();
}
K void bad_twobars(float* y) {  // odd and even lanes wait at different bar.sync instructions
  if (threadIdx.x & 1) {
    asm volatile("bar.sync 0;");
    y[threadIdx.x] = 2;
  } else {
    y[threadIdx.x] = 1;
    asm volatile("bar.sync 0;");
    y[threadIdx.x] += 3;
  }
}
K void bad_divergent(float* y) {  // a barrier only half of the threads reach, the other half waits for a shuffle
  if (threadIdx.x < 16)
    __syncthreads();
  else {
    y[threadIdx.x] = __shfl_sync(0xffffffffu, y[threadIdx.x], 0);
  }
}
K void bad_align(const char* p, float* y) { y[threadIdx.x] = *(const float*)(p + 2); }
K void bad_shared(float* y, int k) {
  __shared__ float s[64];
  s[threadIdx.x] = 1;
  __syncthreads();
  y[threadIdx.x] = s[threadIdx.x + k];
}
K void bad_assert(int k) {
  if (k > 3) __trap();
}
K void bad_stale(float* y) {  // race: the second write has no barrier before it
  __shared__ float s[128];
  s[threadIdx.x] = threadIdx.x;
  __syncthreads();
  float v = s[(threadIdx.x + 64) % 128];
  s[threadIdx.x] = v * 2;
  __syncthreads();
  y[threadIdx.x] = s[threadIdx.x];
}
#if HAS_ASYNC_COPY
K void bad_cpasync(const float* x, float* y) {  // forgets cp.async.wait
  __shared__ __align__(16) float s[128];
  if (threadIdx.x < 32) cpa16(&s[threadIdx.x * 4], x + threadIdx.x * 4);
  asm volatile("cp.async.commit_group;");
  __syncthreads();
  y[threadIdx.x] = s[threadIdx.x];
}
#endif
