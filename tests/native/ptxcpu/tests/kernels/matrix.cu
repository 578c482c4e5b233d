// Matrix products: tiled, wmma and mma.
#include "common.cuh"

// C[M,N] = A[M,K] B[K,N]; 64x64x16 tile, 256 threads, 4x4 per thread, float4 loads
K void __launch_bounds__(256) sgemm(const float* A, const float* B, float* C, int M, int N, int Kd) {
  __shared__ __align__(16) float As[16][64];
  __shared__ __align__(16) float Bs[16][64];
  int t = threadIdx.x, tx = t % 16, ty = t / 16;
  int bm = blockIdx.y * 64, bn = blockIdx.x * 64;
  float acc[4][4] = {};
  for (int k0 = 0; k0 < Kd; k0 += 16) {
    int ar = t / 4, ac = (t % 4) * 4;
    float4 a = *(const float4*)(A + (size_t)(bm + ar) * Kd + k0 + ac);
    As[ac + 0][ar] = a.x;
    As[ac + 1][ar] = a.y;
    As[ac + 2][ar] = a.z;
    As[ac + 3][ar] = a.w;
    int br = t / 16, bc = (t % 16) * 4;
    *(float4*)&Bs[br][bc] = *(const float4*)(B + (size_t)(k0 + br) * N + bn + bc);
    __syncthreads();
#pragma unroll
    for (int k = 0; k < 16; k++) {
      float4 av = *(float4*)&As[k][ty * 4], bv = *(float4*)&Bs[k][tx * 4];
      float aa[4] = {av.x, av.y, av.z, av.w}, bb[4] = {bv.x, bv.y, bv.z, bv.w};
#pragma unroll
      for (int i = 0; i < 4; i++)
#pragma unroll
        for (int j = 0; j < 4; j++) acc[i][j] += aa[i] * bb[j];
    }
    __syncthreads();
  }
  for (int i = 0; i < 4; i++)
    *(float4*)(C + (size_t)(bm + ty * 4 + i) * N + bn + tx * 4) = make_float4(acc[i][0], acc[i][1], acc[i][2], acc[i][3]);
}

// one warp per 16x16 tile; A row-major MxK, B col-major (KxN stored N-major)
K void wmma_gemm(const half* A, const half* B, float* C, int M, int N, int Kd) {
  using namespace nvcuda;
  int w = (blockIdx.x * blockDim.x + threadIdx.x) / 32;
  int tn = N / 16, tm = w / tn;
  tn = w % tn;
  if (tm * 16 >= M) return;
  wmma::fragment<wmma::matrix_a, 16, 16, 16, half, wmma::row_major> a;
  wmma::fragment<wmma::matrix_b, 16, 16, 16, half, wmma::col_major> b;
  wmma::fragment<wmma::accumulator, 16, 16, 16, float> c;
  wmma::fill_fragment(c, 0.f);
  for (int k = 0; k < Kd; k += 16) {
    wmma::load_matrix_sync(a, A + (size_t)tm * 16 * Kd + k, Kd);
    wmma::load_matrix_sync(b, B + (size_t)tn * 16 * Kd + k, Kd);
    wmma::mma_sync(c, a, b, c);
  }
  wmma::store_matrix_sync(C + (size_t)tm * 16 * N + tn * 16, c, N, wmma::mem_row_major);
}

// wmma with B row-major and tile staged through shared memory, accumulator loaded from C, col-major store
K void wmma_row(const half* A, const half* B, const float* Cin, float* D, int Kd) {
  using namespace nvcuda;
  __shared__ __align__(32) half sA[256];
  __shared__ __align__(32) half sB[256];
  wmma::fragment<wmma::matrix_a, 16, 16, 16, half, wmma::col_major> a;
  wmma::fragment<wmma::matrix_b, 16, 16, 16, half, wmma::row_major> b;
  wmma::fragment<wmma::accumulator, 16, 16, 16, float> c;
  wmma::load_matrix_sync(c, Cin, 16, wmma::mem_row_major);
  for (int k = 0; k < Kd; k += 16) {
    for (int i = threadIdx.x; i < 256; i += 32) {
      sA[i] = A[k * 16 + i];
      sB[i] = B[k * 16 + i];
    }
    __syncwarp();
    wmma::load_matrix_sync(a, sA, 16);
    wmma::load_matrix_sync(b, sB, 16);
    wmma::mma_sync(c, a, b, c);
    __syncwarp();
  }
  wmma::store_matrix_sync(D, c, 16, wmma::mem_col_major);
}

#if HAS_ASYNC_COPY
// bf16 gemm: C[M,N] f32 = A[M,K] * B[N,K]^T; tile 64x64x32, 128 threads (4 warps, each 32x32), 2 stages
K void __launch_bounds__(128) mma_gemm(const __nv_bfloat16* A, const __nv_bfloat16* B, float* C, int M, int N, int Kd) {
  __shared__ __align__(16) __nv_bfloat16 sA[2][64][40];
  __shared__ __align__(16) __nv_bfloat16 sB[2][64][40];
  int t = threadIdx.x, lane = t & 31, w = t >> 5, wm = (w >> 1) * 32, wn = (w & 1) * 32;
  int bm = blockIdx.y * 64, bn = blockIdx.x * 64;
  float acc[2][4][4] = {};
  auto load = [&](int st, int k0) {
    for (int i = t; i < 64 * 4; i += 128) {
      int r = i >> 2, c = (i & 3) * 8;
      cpa16(&sA[st][r][c], A + (size_t)(bm + r) * Kd + k0 + c);
      cpa16(&sB[st][r][c], B + (size_t)(bn + r) * Kd + k0 + c);
    }
    asm volatile("cp.async.commit_group;");
  };
  load(0, 0);
  int nk = Kd / 32;
  for (int kt = 0; kt < nk; kt++) {
    if (kt + 1 < nk)
      load((kt + 1) & 1, (kt + 1) * 32);
    else
      asm volatile("cp.async.commit_group;");
    asm volatile("cp.async.wait_group 1;" ::: "memory");
    __syncthreads();
    int st = kt & 1;
#pragma unroll
    for (int kk = 0; kk < 32; kk += 16) {
      uint32_t a[2][4], b[4][2];
#pragma unroll
      for (int i = 0; i < 2; i++) {
        uint32_t ad = (uint32_t)__cvta_generic_to_shared(&sA[st][wm + i * 16 + (lane & 15)][kk + (lane >> 4) * 8]);
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                     : "=r"(a[i][0]), "=r"(a[i][1]), "=r"(a[i][2]), "=r"(a[i][3])
                     : "r"(ad));
      }
#pragma unroll
      for (int j = 0; j < 4; j++) {
        uint32_t ad = (uint32_t)__cvta_generic_to_shared(&sB[st][wn + j * 8 + (lane & 7)][kk + ((lane >> 3) & 1) * 8]);
        asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0,%1}, [%2];" : "=r"(b[j][0]), "=r"(b[j][1]) : "r"(ad));
      }
#pragma unroll
      for (int i = 0; i < 2; i++)
#pragma unroll
        for (int j = 0; j < 4; j++)
          asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                       : "+f"(acc[i][j][0]), "+f"(acc[i][j][1]), "+f"(acc[i][j][2]), "+f"(acc[i][j][3])
                       : "r"(a[i][0]), "r"(a[i][1]), "r"(a[i][2]), "r"(a[i][3]), "r"(b[j][0]), "r"(b[j][1]));
    }
    __syncthreads();
  }
  for (int i = 0; i < 2; i++)
    for (int j = 0; j < 4; j++) {
      int r = bm + wm + i * 16 + lane / 4, c = bn + wn + j * 8 + (lane % 4) * 2;
      *(float2*)(C + (size_t)r * N + c) = make_float2(acc[i][j][0], acc[i][j][1]);
      *(float2*)(C + (size_t)(r + 8) * N + c) = make_float2(acc[i][j][2], acc[i][j][3]);
    }
}
// single-warp 16x8 tiles exercising every supported mma shape/type; B row-major through ldmatrix.trans
K void mma_shapes(const half* A16, const half* B16, const float* A32, const float* B32, float* D) {
  __shared__ __align__(16) half sB[16][8];
  int l = threadIdx.x, g = l >> 2, q = l & 3;
  for (int i = l; i < 128; i += 32) sB[i / 8][i % 8] = B16[i];  // B[k][n]
  __syncwarp();
  uint32_t b0, b1;
  uint32_t ad = (uint32_t)__cvta_generic_to_shared(&sB[l & 15][0]);
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0,%1}, [%2];" : "=r"(b0), "=r"(b1) : "r"(ad));
  const uint32_t* Aw = (const uint32_t*)A16;  // 16 x 8 words
  uint32_t a0 = Aw[g * 8 + q], a1 = Aw[(g + 8) * 8 + q], a2 = Aw[g * 8 + q + 4], a3 = Aw[(g + 8) * 8 + q + 4];
  float d[4] = {0, 0, 0, 0};
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
  auto put = [&](float* o) {
    o[g * 8 + q * 2] = d[0];
    o[g * 8 + q * 2 + 1] = d[1];
    o[(g + 8) * 8 + q * 2] = d[2];
    o[(g + 8) * 8 + q * 2 + 1] = d[3];
  };
  put(D);
  d[0] = d[1] = d[2] = d[3] = 1.f;
  asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5}, {%6}, {%0,%1,%2,%3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a0), "r"(a1), "r"(b0));
  put(D + 128);
  // tf32 m16n8k8: A32 16x8, B32 8x8 (k,n)
  uint32_t ta[4], tb[2];
  float f0 = A32[g * 8 + q], f1 = A32[(g + 8) * 8 + q], f2 = A32[g * 8 + q + 4], f3 = A32[(g + 8) * 8 + q + 4];
  float h0 = B32[q * 8 + g], h1 = B32[(q + 4) * 8 + g];
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(ta[0]) : "f"(f0));
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(ta[1]) : "f"(f1));
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(ta[2]) : "f"(f2));
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(ta[3]) : "f"(f3));
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(tb[0]) : "f"(h0));
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(tb[1]) : "f"(h1));
  d[0] = d[1] = d[2] = d[3] = 0.f;
  asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(ta[0]), "r"(ta[1]), "r"(ta[2]), "r"(ta[3]), "r"(tb[0]), "r"(tb[1]));
  put(D + 256);
  unsigned r = __reduce_add_sync(0xffffffffu, (unsigned)l), mx = __reduce_max_sync(0xffffffffu, (unsigned)(l * 7 % 31));
  if (l == 0) {
    D[384] = r;
    D[385] = mx;
  }
}
#endif
