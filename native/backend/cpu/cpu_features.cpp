#include "backend/cpu/cpu_features.h"

#include <cstdint>

#if defined(__x86_64__) || defined(_M_X64)
#if defined(__GNUC__) || defined(__clang__)
#include <cpuid.h>
#else
#include <intrin.h>
#endif
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#endif

namespace namesake::cpu {
namespace {

#if defined(__x86_64__) || defined(_M_X64)

struct Registers {
  std::uint32_t a = 0, b = 0, c = 0, d = 0;
};

Registers cpuid(std::uint32_t leaf, std::uint32_t subleaf = 0) {
  Registers r;
#if defined(__GNUC__) || defined(__clang__)
  __get_cpuid_count(leaf, subleaf, &r.a, &r.b, &r.c, &r.d);
#else
  int values[4];
  __cpuid(values, 0);
  if (static_cast<std::uint32_t>(values[0]) < leaf) return r;
  __cpuidex(values, static_cast<int>(leaf), static_cast<int>(subleaf));
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

/// Whether the operating system lets this process use AMX's tiles, which it has to be asked for. It is for all threads from then on.
bool may_use_tiles() {
#if defined(__linux__)
  constexpr long kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM of Linux 5.16, XFEATURE_XTILEDATA
  static const bool granted = syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
  return granted;
#else
  return false;
#endif
}

/// Instruction sets of x86, each with all of those before it.
enum class Level { avx2, avx512, avx512bf16, amxbf16 };

/// Names of what a level needs and this machine lacks, "" if it can run.
std::string missing(Level level) {
  const Registers one = cpuid(1), seven = cpuid(7), more = seven.a >= 1 ? cpuid(7, 1) : Registers{};
  const std::uint64_t saved = saved_states(one.c >> 27 & 1);
  using enum Level;
  const struct {
    const char* name;
    Level needed_by;
    bool present;
  } features[] = {
      {"avx", avx2, (one.c >> 28 & 1) != 0},
      {"fma", avx2, (one.c >> 12 & 1) != 0},
      {"f16c", avx2, (one.c >> 29 & 1) != 0},
      {"avx2", avx2, (seven.b >> 5 & 1) != 0},
      {"ymm registers saved by the operating system", avx2, (saved & 0x6) == 0x6},
      {"avx512f", avx512, (seven.b >> 16 & 1) != 0},
      {"avx512dq", avx512, (seven.b >> 17 & 1) != 0},
      {"avx512bw", avx512, (seven.b >> 30 & 1) != 0},
      {"avx512vl", avx512, (seven.b >> 31 & 1) != 0},
      {"zmm registers saved by the operating system", avx512, (saved & 0xe6) == 0xe6},
      {"avx512_bf16", avx512bf16, (more.a >> 5 & 1) != 0},
      {"amx_tile", amxbf16, (seven.d >> 24 & 1) != 0},
      {"amx_bf16", amxbf16, (seven.d >> 22 & 1) != 0},
      {"tile registers saved by the operating system", amxbf16, (saved & 0x60000) == 0x60000},
      {"the system's permission to use tile registers", amxbf16, level < amxbf16 || (saved & 0x60000) != 0x60000 || may_use_tiles()},
  };
  std::string list;
  for (const auto& feature : features) {
    if (feature.present || feature.needed_by > level) continue;
    list += (list.empty() ? "" : ", ") + std::string(feature.name);
  }
  return list;
}

KernelTable table_of(Level level) {
  if (level == Level::avx2) return kAvx2Kernels;
  KernelTable table = kAvx512Kernels;
  if (level == Level::avx512bf16) {
    table.isa = "avx512bf16";
    table.narrow = &kAvx512Bf16Products;
  } else if (level == Level::amxbf16) {
    table.isa = "amxbf16";
    table.narrow = &kAmxBf16Products;
  }
  return table;
}

/// Whether vdpbf16ps is faster than f32's multiply-adds where a CPU has both: twice as fast on AMD's (Zen 4), half as fast on Intel's,
/// whose bf16 is meant to be used by way of AMX. On registers alone a core of Sapphire Rapids reached 0.123 TFLOP/s by vdpbf16ps, 0.249 by f32's
/// and 3.88 by AMX's tiles, whose instruction was timed there and not these kernels.
bool has_fast_bf16() {
  const Registers vendor = cpuid(0);
  return vendor.b == 0x68747541 && vendor.d == 0x69746e65 && vendor.c == 0x444d4163;  // "Auth" "enti" "cAMD"
}

#endif

}  // namespace

Result<KernelTable> find_kernels(const std::string& isa) {
  if (isa == "scalar") return kScalarKernels;
  const bool of_x86 = isa == "avx2" || isa == "avx512" || isa == "avx512bf16" || isa == "amxbf16";
#if defined(__x86_64__) || defined(_M_X64)
  using enum Level;
  if (isa == "auto") {
    if (missing(amxbf16).empty()) return table_of(amxbf16);
    if (has_fast_bf16() && missing(avx512bf16).empty()) return table_of(avx512bf16);
    if (missing(avx512).empty()) return table_of(avx512);
    if (missing(avx2).empty()) return table_of(avx2);
    return kScalarKernels;
  }
  if (of_x86) {
    const Level level = isa == "amxbf16" ? amxbf16 : isa == "avx512bf16" ? avx512bf16 : isa == "avx512" ? avx512 : avx2;
    const std::string list = missing(level);
    if (!list.empty()) return Status::error(Code::isa_unsupported, isa + " needs what this machine lacks: " + list);
    return table_of(level);
  }
#elif defined(__aarch64__) || defined(_M_ARM64)
  if (isa == "auto" || isa == "neon") return kNeonKernels;  // part of the architecture: nothing to ask the CPU
#else
  if (isa == "auto") return kScalarKernels;
#endif
  if (of_x86) return Status::error(Code::isa_unsupported, isa + " exists on x86-64 CPUs only");
  if (isa == "neon") return Status::error(Code::isa_unsupported, "neon exists on 64-bit ARM CPUs only");
  return Status::error(Code::isa_unsupported, "unknown instruction set '" + isa + "'; known: auto, scalar, avx2, avx512, avx512bf16, amxbf16, neon");
}

}  // namespace namesake::cpu
