// Memory and identity of the reference backend, and the helper that its ops share.
#include <algorithm>
#include <cstring>
#include <new>

#include "backend/host_memory.h"
#include "backend/reference/reference_backend.h"

namespace namesake {

namespace {
constexpr std::align_val_t kAlignment{64};
}

std::unique_ptr<Backend> make_reference_backend() { return std::make_unique<ReferenceBackend>(); }

std::uint64_t ReferenceBackend::available() const { return available_host_memory(); }

Result<void*> ReferenceBackend::allocate(std::size_t bytes) {
  void* pointer = ::operator new(bytes, kAlignment, std::nothrow);
  if (!pointer) {
    return Status::error(Code::memory_insufficient, "no memory for " + std::to_string(bytes) + " bytes");
  }
  std::memset(pointer, 0, bytes);
  return pointer;
}

void ReferenceBackend::release(void* pointer) { ::operator delete(pointer, kAlignment); }

void ReferenceBackend::discard(void*, std::size_t) {}

std::size_t ReferenceBackend::scratch_bytes(const Workload& w) const {
  const std::int64_t widest = std::max({w.hidden, w.ffn, w.heads * w.head_dim});
  const std::int64_t linear = w.rows * (w.rank + (w.backward ? widest : 0)) + widest;
  const std::int64_t attention = w.backward ? w.sequence * (2 * w.kv_heads * w.head_dim + 1) + w.head_dim : w.sequence;
  const std::int64_t head = std::min(w.loss_rows, static_cast<std::int64_t>(kHeadRows)) * (w.vocab * (w.compares ? 2 : 1) + w.hidden);
  return static_cast<std::size_t>(std::max({linear, attention, head, w.cached_keys})) * sizeof(double);
}

Status ReferenceBackend::upload(void* to, const void* from_host, std::size_t bytes) { return copy(to, from_host, bytes); }

Status ReferenceBackend::download(void* to_host, const void* from, std::size_t bytes) { return copy(to_host, from, bytes); }

Status ReferenceBackend::copy(void* to, const void* from, std::size_t bytes) {
  if (bytes) std::memmove(to, from, bytes);
  return {};
}

Status ReferenceBackend::zero(void* to, std::size_t bytes) {
  if (bytes) std::memset(to, 0, bytes);
  return {};
}

double dot(const float* a, const float* b, std::int64_t n) {
  double sum = 0;
  for (std::int64_t i = 0; i < n; ++i) sum += double(a[i]) * double(b[i]);
  return sum;
}

}  // namespace namesake
