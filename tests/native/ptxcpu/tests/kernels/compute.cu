// Kernels of the kinds that training has.
#include "common.cuh"

K void vecadd(const float* a, const float* b, float* c, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) c[i] = a[i] + b[i];
}

__device__ __forceinline__ float warpSum(float v) {
  for (int o = 16; o; o >>= 1) v += __shfl_xor_sync(0xffffffffu, v, o);
  return v;
}
__device__ __forceinline__ float warpMax(float v) {
  for (int o = 16; o; o >>= 1) v = fmaxf(v, __shfl_down_sync(0xffffffffu, v, o));
  return __shfl_sync(0xffffffffu, v, 0);
}

K void reduce(const float* x, float* out, int n) {
  __shared__ float s[32];
  float v = 0;
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) v += x[i];
  v = warpSum(v);
  if ((threadIdx.x & 31) == 0) s[threadIdx.x >> 5] = v;
  __syncthreads();
  if (threadIdx.x < 32) {
    v = threadIdx.x < blockDim.x / 32 ? s[threadIdx.x] : 0.f;
    v = warpSum(v);
    if (threadIdx.x == 0) atomicAdd(out, v);
  }
}

K void softmax_row(const float* x, float* y, int cols) {
  extern __shared__ float buf[];
  __shared__ float red[32], red2[32];
  const float* xr = x + (size_t)blockIdx.x * cols;
  float m = -INFINITY;
  for (int i = threadIdx.x; i < cols; i += blockDim.x) {
    buf[i] = xr[i];
    m = fmaxf(m, buf[i]);
  }
  m = warpMax(m);
  if (threadIdx.x % 32 == 0) red[threadIdx.x / 32] = m;
  __syncthreads();
  m = red[0];
  for (int i = 1; i < blockDim.x / 32; i++) m = fmaxf(m, red[i]);
  float s = 0;
  for (int i = threadIdx.x; i < cols; i += blockDim.x) {
    float e = __expf(buf[i] - m);
    buf[i] = e;
    s += e;
  }
  s = warpSum(s);
  if (threadIdx.x % 32 == 0) red2[threadIdx.x / 32] = s;
  __syncthreads();
  s = 0;
  for (int i = 0; i < blockDim.x / 32; i++) s += red2[i];
  float inv = 1.f / s;
  for (int i = threadIdx.x; i < cols; i += blockDim.x) y[(size_t)blockIdx.x * cols + i] = buf[i] * inv;
}

__constant__ float nf4_table[16] = {-1.0f,
                                    -0.6961928009986877f,
                                    -0.5250730514526367f,
                                    -0.39491748809814453f,
                                    -0.28444138169288635f,
                                    -0.18477343022823334f,
                                    -0.09105003625154495f,
                                    0.0f,
                                    0.07958029955625534f,
                                    0.16093020141124725f,
                                    0.24611230194568634f,
                                    0.33791524171829224f,
                                    0.44070982933044434f,
                                    0.5626170039176941f,
                                    0.7229568362236023f,
                                    1.0f};
K void nf4_dequant(const uint8_t* q, const float* absmax, __nv_bfloat16* out, int n, int bs) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i * 2 >= n) return;
  uint8_t v = q[i];
  float s = absmax[i * 2 / bs];
  __nv_bfloat162 r = __floats2bfloat162_rn(nf4_table[v >> 4] * s, nf4_table[v & 15] * s);
  ((__nv_bfloat162*)out)[i] = r;
}

K void adamw(float* p, const float* g, float* m, float* v, int n, float lr, float b1, float b2, float eps, float wd, int step) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  float gi = g[i], mi = b1 * m[i] + (1 - b1) * gi, vi = b2 * v[i] + (1 - b2) * gi * gi;
  m[i] = mi;
  v[i] = vi;
  float mh = mi / (1 - powf(b1, step)), vh = vi / (1 - powf(b2, step));
  p[i] = p[i] * (1 - lr * wd) - lr * mh / (sqrtf(vh) + eps);
}

// flash-attention-like: one block of 64 threads = 64 query rows, head dim 32, key tiles of 32, online softmax, causal
K void flash_fwd(const float* Q, const float* Kp, const float* V, float* O, float* L, int T, float scale) {
  __shared__ __align__(16) float sK[32][32], sV[32][32];
  int qi = blockIdx.x * 64 + threadIdx.x, h = blockIdx.y;
  size_t base = (size_t)h * T * 32;
  float q[32], o[32], m = -INFINITY, l = 0;
  for (int d = 0; d < 32; d++) {
    q[d] = qi < T ? Q[base + (size_t)qi * 32 + d] : 0.f;
    o[d] = 0;
  }
  int last = min(T, (int)(blockIdx.x + 1) * 64);
  for (int k0 = 0; k0 < last; k0 += 32) {
    __syncthreads();
    for (int i = threadIdx.x; i < 32 * 8; i += 64) {
      int r = i / 8, c = (i % 8) * 4;
      float4 z = make_float4(0, 0, 0, 0);
      *(float4*)&sK[r][c] = k0 + r < T ? *(const float4*)(Kp + base + (size_t)(k0 + r) * 32 + c) : z;
      *(float4*)&sV[r][c] = k0 + r < T ? *(const float4*)(V + base + (size_t)(k0 + r) * 32 + c) : z;
    }
    __syncthreads();
    float s[32], mt = m;
#pragma unroll
    for (int j = 0; j < 32; j++) {
      float a = 0;
#pragma unroll
      for (int d = 0; d < 32; d++) a += q[d] * sK[j][d];
      s[j] = k0 + j <= qi && k0 + j < T ? a * scale : -INFINITY;
      mt = fmaxf(mt, s[j]);
    }
    if (mt == -INFINITY) continue;
    float corr = __expf(m - mt);
    l *= corr;
    m = mt;
#pragma unroll
    for (int d = 0; d < 32; d++) o[d] *= corr;
#pragma unroll
    for (int j = 0; j < 32; j++) {
      float p = __expf(s[j] - m);
      l += p;
#pragma unroll
      for (int d = 0; d < 32; d++) o[d] += p * sV[j][d];
    }
  }
  if (qi < T) {
    for (int d = 0; d < 32; d++) O[base + (size_t)qi * 32 + d] = o[d] / l;
    L[h * T + qi] = m + logf(l);
  }
}

K void histogram(const uint8_t* x, unsigned* h, int n) {
  __shared__ unsigned s[256];
  for (int i = threadIdx.x; i < 256; i += blockDim.x) s[i] = 0;
  __syncthreads();
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) atomicAdd(&s[x[i]], 1u);
  __syncthreads();
  for (int i = threadIdx.x; i < 256; i += blockDim.x)
    if (s[i]) atomicAdd(&h[i], s[i]);
}

K void bf16_convert(const float* x, __nv_bfloat16* b, half* h, float* back, int n) {
  int i = (blockIdx.x * blockDim.x + threadIdx.x) * 2;
  if (i >= n) return;
  float2 v = *(const float2*)(x + i);
  __nv_bfloat162 bb = __float22bfloat162_rn(v);
  half2 hh = __float22half2_rn(v);
  *(__nv_bfloat162*)(b + i) = bb;
  *(half2*)(h + i) = hh;
  float2 r = __bfloat1622float2(__hmul2(bb, bb)), r2 = __half22float2(__hfma2(hh, hh, hh));
  *(float2*)(back + i) = make_float2(r.x + r2.x, r.y + r2.y);
}
