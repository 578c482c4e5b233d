// Backends of the products by tiles for a machine without AMX.
#pragma once

#include <memory>
#include <string>

#include "backend/cpu/isa/kernels.h"
#include "backend/ops.h"

namespace namesake::test {

/// The isa of make_backend's own: amxbf16 on a software tile file. It needs what amxbf16 needs but for the tiles.
inline constexpr const char* kSoftTiles = "amxbf16-emulated";

#if defined(__x86_64__)
/// Its products (soft_kernels.cpp).
extern const cpu::Products kSoftTileProducts;
#endif

/// make_cpu_backend, which knows kSoftTiles as well.
Result<std::unique_ptr<Backend>> make_backend(const std::string& isa, int threads);

/// Whether a backend of this isa rounds the operands of products to bf16 where the matrix is not f32.
bool rounds_products(const std::string& isa);

}  // namespace namesake::test
