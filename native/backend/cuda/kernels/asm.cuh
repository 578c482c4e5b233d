// Every instruction that CUDA C++ has no words for: the only inline assembly of the kernels. Names and operands follow the PTX ISA.
//
// A family is what one set of PTX is made for: sm_75 (mma.m16n8k8) or sm_80 and later (mma.m16n8k16, cp.async).
#pragma once

namespace namesake::cuda {

#if __CUDA_ARCH__ >= 800
inline constexpr bool kAsyncCopies = true;  ///< cp.async exists; otherwise there is no copy_16
inline constexpr int kMmaK = 16;            ///< depth of one mma
#else
inline constexpr bool kAsyncCopies = false;
inline constexpr int kMmaK = 8;
#endif

/// The address of shared memory as the instructions below want it.
__device__ __forceinline__ unsigned shared_address(const void* pointer) {
  return static_cast<unsigned>(__cvta_generic_to_shared(pointer));
}

/// A float rounded to f16, to nearest even.
__device__ __forceinline__ unsigned short round_to_half(float x) {
  unsigned short bits;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(x));
  return bits;
}

/// Two floats rounded, `low` in the lower half of the register.
__device__ __forceinline__ unsigned round_to_halves(float low, float high) {
#if __CUDA_ARCH__ >= 800
  unsigned bits;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(high), "f"(low));
  return bits;
#else
  return unsigned(round_to_half(low)) | unsigned(round_to_half(high)) << 16;
#endif
}

/// f16 to float: exact.
__device__ __forceinline__ float f16_to_float(unsigned short bits) {
  float x;
  asm("cvt.f32.f16 %0, %1;" : "=f"(x) : "h"(bits));
  return x;
}

/// 2^x, error at most 2 units in the last place of a float; results that are subnormal become 0.
__device__ __forceinline__ float exp2_approx(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

/// d [16, 8] += a [16, kMmaK] bᵀ, b [8, kMmaK]; all 32 lanes. a and b are pairs of f16 values, d is f32. Fragments as in "Matrix
/// fragments for mma.m16n8k8 / m16n8k16" of the PTX ISA: a has kMmaK / 4 registers, b kMmaK / 8.
__device__ __forceinline__ void mma(float (&d)[4], const unsigned (&a)[kMmaK / 4], const unsigned (&b)[kMmaK / 8]) {
#if __CUDA_ARCH__ >= 800
  asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
  asm("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(b[0]));
#endif
}

/// d [16, 8] += a [16, 16] bᵀ, b [8, 16], in either family: one instruction, or two with the lower half of the depth first. Fragments
/// are those of m16n8k16.
__device__ __forceinline__ void mma_16(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
#if __CUDA_ARCH__ >= 800
  mma(d, a, {b0, b1});
#else
  mma(d, {a[0], a[1]}, {b0});
  mma(d, {a[2], a[3]}, {b1});
#endif
}

/// Four 8 x 8 matrices of 16-bit values: lane 8 i + j gives the shared address of row j of matrix i (16 bytes, aligned).
__device__ __forceinline__ void ldmatrix(unsigned (&r)[4], unsigned address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(address)
               : "memory");
}

/// The same, each matrix transposed.
__device__ __forceinline__ void ldmatrix_transposed(unsigned (&r)[4], unsigned address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(address)
               : "memory");
}

/// Starts copying the first `bytes` (0..16) of 16 from global to shared memory, zeros for the rest; both addresses aligned to 16. With
/// bytes = 0 nothing is read. Done after copies_committed and copies_wait. Only where kAsyncCopies: no assembler takes it for sm_75.
__device__ __forceinline__ void copy_16(void* to_shared, const void* from_global, int bytes) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(to_shared)), "l"(from_global), "r"(bytes)
               : "memory");
}

/// Closes a group of copies.
__device__ __forceinline__ void copies_committed() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

/// Waits until at most `kept` of the newest groups of this thread are still under way. Other threads' copies are seen after a barrier.
template <int kept>
__device__ __forceinline__ void copies_wait() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_group %0;" ::"n"(kept) : "memory");
#endif
}

}  // namespace namesake::cuda
