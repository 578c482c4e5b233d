#include "backend/amx/tile_backends.h"

#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/cpu_features.h"

namespace namesake::test {

Result<std::unique_ptr<Backend>> make_backend(const std::string& isa, int threads) {
  if (isa != kSoftTiles) return make_cpu_backend(isa, threads);
#if defined(__x86_64__)
  auto kernels = cpu::find_kernels("avx512bf16");
  if (!kernels.ok()) return kernels.status();
  cpu::KernelTable table = kernels.value();
  table.isa = kSoftTiles;
  table.narrow = &kSoftTileProducts;
  return std::unique_ptr<Backend>(std::make_unique<cpu::CpuBackend>(table, threads));
#else
  return Status::error(Code::isa_unsupported, std::string(kSoftTiles) + " exists on x86-64 CPUs only");
#endif
}

bool rounds_products(const std::string& isa) { return isa == "avx512bf16" || isa == "amxbf16" || isa == kSoftTiles; }

}  // namespace namesake::test
