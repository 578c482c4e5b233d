// Instructions one by one: integers, bits, conversions, control flow, warps and atomics.
#include "common.cuh"

__constant__ float c_table[2] = {-1.0f, 1.0f};
__device__ int g_counter = 5;
__device__ float g_table[64];
struct Big {
  int a;
  float w[6];
  long long z;
};
__device__ __noinline__ float poly(const float* c, int n, float x) {
  float r = 0;
  for (int i = 0; i < n; i++) r = r * x + c[i];
  return r;
}
typedef float (*fn_t)(float);
__device__ __noinline__ float f_sq(float x) { return x * x; }
__device__ __noinline__ float f_neg(float x) { return -x; }
__device__ fn_t fn_tab[2] = {f_sq, f_neg};
// integer / bit / conversion / control-flow coverage; results checked by the host mirror
K void misc(const int* in, int* out, Big big, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  int x = in[i];
  unsigned u = x;
  int* o = out + i * 32;
  o[0] = __clz(x);
  o[1] = __popc(x);
  o[2] = __brev(u);
  o[3] = __byte_perm(u, 0x12345678u, 0x5140);
  o[4] = __funnelshift_l(u, ~u, 7);
  o[5] = __mulhi(x, 0x12345679);
  o[6] = __umulhi(u, 0x87654321u);
  o[7] = x / 7 + x % 13;
  o[8] = u / 11u + u % 17u;
  o[9] = (int)(((long long)x * x) >> 5);
  o[10] = __ffs(x);
  o[11] = x >> 3;
  o[12] = u >> 5;
  o[13] = min(x, 1000) + max(x, -1000) + abs(x % 1000);
  o[14] = __float2int_rn((float)x * 0.001f);
  o[15] = __float2int_rd((float)x * 0.001f);
  o[16] = (int)__double2ll_rz((double)x * 1.5);
  o[17] = (int)(signed char)x + (int)(unsigned char)(x >> 8) + (int)(short)x;
  float loc[8];
  for (int k = 0; k < 8; k++) loc[k] = (float)((x >> k) & 15);
  o[18] = (int)loc[x & 7] + (int)poly(loc, (x & 3) + 2, 0.5f);
  o[19] = (int)big.w[(unsigned)x % 6u] + big.a + (int)big.z;
  switch (x & 7) {
    case 0:
      o[20] = 11;
      break;
    case 1:
      o[20] = x + 5;
      break;
    case 2:
      o[20] = x * 3;
      break;
    case 3:
      o[20] = 8;
      break;
    case 4:
      o[20] = x ^ 0x55;
      break;
    case 5:
      o[20] = -1;
      break;
    case 6:
      o[20] = 99;
      break;
    default:
      o[20] = 1234;
  }
  o[21] = (int)(fn_tab[x & 1]((float)(x & 1023)));
  o[22] = (u & 0xF0F0F0F0u) | (~u & 0x0F0F0000u) ^ 0x1234u;
  o[23] = (int)((unsigned long long)u * 0x9E3779B97F4A7C15ull >> 40);
  unsigned b = __ballot_sync(__activemask(), x & 1);
  o[24] = __popc(b) >= 0;
  o[25] = (int)(rsqrtf((float)(u >> 8) + 1.f) * 1e6f);
  o[26] = (int)(sinf((float)(x & 255) * 0.1f) * 1000.f);
  o[27] = (int)(tanhf((float)(x & 255) * 0.01f - 1.f) * 1000.f);
  o[28] = (int)(100.0 * sqrt((double)(u & 0xffff)));
  o[29] = __dp4a(x, 0x01020304, 5);
  o[30] = g_counter + (int)c_table[1];
  o[31] = (int)(erff((float)(x & 63) * .03f) * 1e4f);
  if (i < 64) g_table[i] = (float)i * 2;
}
K void warp_ops(const int* in, int* out) {
  int l = threadIdx.x & 31, v = in[threadIdx.x];
  int* o = out + threadIdx.x * 8;
  o[0] = __shfl_up_sync(~0u, v, 3);
  o[1] = __shfl_down_sync(~0u, v, 5, 8);
  o[2] = __shfl_sync(~0u, v, l ^ 9, 16);
  o[3] = __any_sync(~0u, v == 7) + 2 * __all_sync(~0u, v >= 0);
  o[4] = __ballot_sync(~0u, v & 1);
  if (l < 12)
    o[5] = __shfl_xor_sync(0xfffu, v, 1) + __popc(__activemask() & 0);
  else
    o[5] = __shfl_sync(0xfffff000u, v, 12);
  o[6] = __match_any_sync(~0u, v & 3);
  int p;
  o[7] = __match_all_sync(~0u, v & 0, &p) == ~0u && p;
}
K void atomics(int* ai, float* af, double* ad, unsigned long long* al, half2* ah, unsigned* cas) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  atomicAdd(ai, 1);
  atomicMin(ai + 1, i - 50);
  atomicMax(ai + 2, i);
  atomicOr(ai + 3, 1 << (i & 31));
  atomicAnd(ai + 4, ~(1 << (i & 15)));
  atomicXor(ai + 5, i);
  atomicExch(ai + 6, 77);
  atomicInc((unsigned*)ai + 7, 9);
  atomicAdd(af, 0.5f);
  atomicAdd(al, (unsigned long long)i);
  atomicAdd(ah, __floats2half2_rn(1.f, 2.f));
  atomicAdd(ad, 0.25);
  unsigned old = *cas, as;
  do {
    as = old;
    old = atomicCAS(cas, as, as + 3);
  } while (as != old);
}
// spin lock between the threads of one block, forward progress needed
K void spinlock(int* lock, int* cnt) {
  bool done = false;
  while (!done) {
    if (atomicCAS(lock, 0, 1) == 0) {
      *(volatile int*)cnt += 1;
      __threadfence();
      atomicExch(lock, 0);
      done = true;
    }
  }
}

// many blocks hammer one word: only correct if atomics really are atomic across workers
K void atomic_storm(unsigned* c, float* f, unsigned long long* cas64) {
  for (int i = 0; i < 64; i++) {
    atomicAdd(c, 1u);
    atomicAdd(f, 1.f);
  }
  unsigned long long old = *cas64, as;
  do {
    as = old;
    old = atomicCAS(cas64, as, as + 1);
  } while (as != old);
}
