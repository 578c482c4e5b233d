#include "backend/cpu/cpu_features.h"

#include <cstdint>

#if defined(__x86_64__) || defined(_M_X64)
#if defined(__GNUC__) || defined(__clang__)
#include <cpuid.h>
#else
#include <intrin.h>
#endif
#endif

namespace namesake::cpu {
namespace {

#if defined(__x86_64__) || defined(_M_X64)

struct Registers {
  std::uint32_t a = 0, b = 0, c = 0, d = 0;
};

Registers cpuid(std::uint32_t leaf) {
  Registers r;
#if defined(__GNUC__) || defined(__clang__)
  __get_cpuid_count(leaf, 0, &r.a, &r.b, &r.c, &r.d);
#else
  int values[4];
  __cpuid(values, 0);
  if (static_cast<std::uint32_t>(values[0]) < leaf) return r;
  __cpuidex(values, static_cast<int>(leaf), 0);
  r = {static_cast<std::uint32_t>(values[0]), static_cast<std::uint32_t>(values[1]), static_cast<std::uint32_t>(values[2]),
       static_cast<std::uint32_t>(values[3])};
#endif
  return r;
}

/// Register states that the operating system saves (XCR0), 0 where it does not say.
std::uint64_t saved_states(bool osxsave) {
  if (!osxsave) return 0;
#if defined(__GNUC__) || defined(__clang__)
  std::uint32_t low, high;  // the intrinsic needs a flag that would let the compiler use more than it
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return std::uint64_t{high} << 32 | low;
#else
  return _xgetbv(0);
#endif
}

/// Names of what `isa` needs and this machine lacks, "" if it can run.
std::string missing(bool avx512) {
  const Registers one = cpuid(1), seven = cpuid(7);
  const std::uint64_t saved = saved_states(one.c >> 27 & 1);
  const struct {
    const char* name;
    bool needs512, present;
  } features[] = {
      {"avx", false, (one.c >> 28 & 1) != 0},
      {"fma", false, (one.c >> 12 & 1) != 0},
      {"f16c", false, (one.c >> 29 & 1) != 0},
      {"avx2", false, (seven.b >> 5 & 1) != 0},
      {"ymm registers saved by the operating system", false, (saved & 0x6) == 0x6},
      {"avx512f", true, (seven.b >> 16 & 1) != 0},
      {"avx512dq", true, (seven.b >> 17 & 1) != 0},
      {"avx512bw", true, (seven.b >> 30 & 1) != 0},
      {"avx512vl", true, (seven.b >> 31 & 1) != 0},
      {"zmm registers saved by the operating system", true, (saved & 0xe6) == 0xe6},
  };
  std::string list;
  for (const auto& feature : features) {
    if (feature.present || (feature.needs512 && !avx512)) continue;
    list += (list.empty() ? "" : ", ") + std::string(feature.name);
  }
  return list;
}

#endif

}  // namespace

Result<const KernelTable*> find_kernels(const std::string& isa) {
  if (isa == "scalar") return &kScalarKernels;
  const bool of_x86 = isa == "avx2" || isa == "avx512";
#if defined(__x86_64__) || defined(_M_X64)
  if (isa == "auto") {
    if (missing(true).empty()) return &kAvx512Kernels;
    if (missing(false).empty()) return &kAvx2Kernels;
    return &kScalarKernels;
  }
  if (of_x86) {
    const bool avx512 = isa == "avx512";
    const std::string list = missing(avx512);
    if (!list.empty()) return Status::error(Code::isa_unsupported, isa + " needs what this CPU lacks: " + list);
    return avx512 ? &kAvx512Kernels : &kAvx2Kernels;
  }
#elif defined(__aarch64__) || defined(_M_ARM64)
  if (isa == "auto" || isa == "neon") return &kNeonKernels;  // part of the architecture: nothing to ask the CPU
#else
  if (isa == "auto") return &kScalarKernels;
#endif
  if (of_x86) return Status::error(Code::isa_unsupported, isa + " exists on x86-64 CPUs only");
  if (isa == "neon") return Status::error(Code::isa_unsupported, "neon exists on 64-bit ARM CPUs only");
  return Status::error(Code::isa_unsupported, "unknown instruction set '" + isa + "'; known: auto, scalar, avx2, avx512, neon");
}

}  // namespace namesake::cpu
