#include "backend/cpu/cpu_backend.h"

#include <cstring>
#include <string>

#include "backend/cpu/cpu_features.h"
#include "backend/host_cores.h"
#include "backend/host_memory.h"
#include "formats/nf4.h"

namespace namesake::cpu {

static_assert(static_cast<int>(WeightType::f32) == static_cast<int>(BlockType::f32));
static_assert(static_cast<int>(WeightType::f16) == static_cast<int>(BlockType::f16));
static_assert(static_cast<int>(WeightType::bf16) == static_cast<int>(BlockType::bf16));
static_assert(static_cast<int>(WeightType::q4_0) == static_cast<int>(BlockType::q4_0));
static_assert(static_cast<int>(WeightType::q4_1) == static_cast<int>(BlockType::q4_1));
static_assert(static_cast<int>(WeightType::q5_0) == static_cast<int>(BlockType::q5_0));
static_assert(static_cast<int>(WeightType::q5_1) == static_cast<int>(BlockType::q5_1));
static_assert(static_cast<int>(WeightType::q8_0) == static_cast<int>(BlockType::q8_0));
static_assert(static_cast<int>(WeightType::q4_k) == static_cast<int>(BlockType::q4_k));
static_assert(static_cast<int>(WeightType::q5_k) == static_cast<int>(BlockType::q5_k));
static_assert(static_cast<int>(WeightType::q6_k) == static_cast<int>(BlockType::q6_k));
static_assert(static_cast<int>(WeightType::nf4) == static_cast<int>(BlockType::nf4));

WeightView view_of(const Matrix& matrix) {
  WeightView view = {static_cast<WeightType>(matrix.type), reinterpret_cast<const std::uint8_t*>(matrix.data), matrix.rows,
                     matrix.cols, row_bytes(matrix.type, matrix.cols)};
  if (const Nf4Scales* scales = matrix.nf4) {
    view.nf4 = {scales->absmax, scales->nested, scales->offset, nf4_absmax_values(), nf4_values()};
  }
  return view;
}

WeightView view_of(const float* values, std::int64_t rows, std::int64_t cols, std::int64_t stride) {
  return {WeightType::f32, reinterpret_cast<const std::uint8_t*>(values), rows, cols,
          stride * static_cast<std::int64_t>(sizeof(float))};
}

CpuBackend::CpuBackend(const KernelTable& kernels, int threads)
    : kernels_(kernels), pool_(threads, kernels.narrow ? kernels.narrow->release : nullptr) {}

Status CpuBackend::reserve(const ScratchNeed& need) {
  need_ = need;
  return scratch_.reserve(static_cast<std::size_t>(need.floats(pool_.threads())));
}

std::size_t CpuBackend::scratch_bytes(const Workload& work) const {
  // Padding may make bf16's words more than f32's where a matrix is small: both are counted where both may be used.
  std::int64_t most = 0;
  if (work.f32_matrices || !kernels_.narrow) most = most_scratch(work, pool_.threads(), kernels_.f32);
  if (kernels_.narrow) most = std::max(most, most_scratch(work, pool_.threads(), *kernels_.narrow));
  return static_cast<std::size_t>(most) * sizeof(float);
}

std::int64_t CpuBackend::row_chunks(std::int64_t panels, std::int64_t tiles) const {
  // Each chunk decodes the panel again, so split rows only where whole panels would leave threads idle.
  const std::int64_t threads = pool_.threads();
  if (panels % threads == 0 || panels >= 8 * threads) return 1;
  return std::min(tiles, ceil_div(4 * threads, panels));
}

std::uint64_t CpuBackend::available() const { return available_host_memory(); }

Result<void*> CpuBackend::allocate(std::size_t bytes) {
  if (void* pointer = allocate_zeroed(bytes)) return pointer;
  return Status::error(Code::memory_insufficient, "no room for " + std::to_string(bytes) + " bytes");
}

void CpuBackend::release(void* pointer) { cpu::release(pointer); }

void CpuBackend::discard(void* pointer, std::size_t bytes) { cpu::discard(pointer, bytes); }

Status CpuBackend::upload(void* to, const void* from_host, std::size_t bytes) { return copy(to, from_host, bytes); }

Status CpuBackend::download(void* to_host, const void* from, std::size_t bytes) { return copy(to_host, from, bytes); }

Status CpuBackend::copy(void* to, const void* from, std::size_t bytes) {
  if (bytes > 0) std::memmove(to, from, bytes);
  return {};
}

Status CpuBackend::zero(void* to, std::size_t bytes) {
  if (bytes > 0) std::memset(to, 0, bytes);
  return {};
}

}  // namespace namesake::cpu

namespace namesake {

Result<std::unique_ptr<Backend>> make_cpu_backend(const std::string& isa, int threads) {
  const auto kernels = cpu::find_kernels(isa);
  if (!kernels.ok()) return kernels.status();
  const int count = threads > 0 ? threads : physical_cores();
  return std::unique_ptr<Backend>(std::make_unique<cpu::CpuBackend>(kernels.value(), count));
}

}  // namespace namesake
