// Memory of the card: what is taken and given back, copies and zeros, scratch. All in the order of the stream.
#include <algorithm>
#include <string>

#include "backend/cuda/cuda_backend.h"

namespace namesake::cuda {
namespace {

/// What is left to the driver: code of the kernels, and what it needs to launch them.
constexpr std::uint64_t kLeftToDriver = std::uint64_t{64} << 20;

CUdeviceptr address_of(const void* pointer) { return reinterpret_cast<CUdeviceptr>(pointer); }

}  // namespace

std::uint64_t CudaBackend::available() const {
  if (!enter().ok()) return 0;
  const auto free = context_->free_memory();
  return free.ok() ? free.value() - std::min(free.value(), kLeftToDriver) : 0;
}

Result<void*> CudaBackend::allocate(std::size_t bytes) {
  NAMESAKE_TRY(enter());
  const Driver& driver = *context_->driver();
  CUdeviceptr address = 0;
  const std::size_t size = std::max<std::size_t>(bytes, 1);  // a driver gives no memory of 0 bytes
  Status status = driver.status(driver.api().cuMemAlloc(&address, size), "taking " + std::to_string(bytes) + " bytes of the card's memory");
  if (!status.ok()) {
    status.needed = bytes;
    status.available = available();
    return status;
  }
  void* pointer = reinterpret_cast<void*>(address);
  allocations_[static_cast<std::uintptr_t>(address)] = size;
  if (status = zero(pointer, bytes); !status.ok()) {
    release(pointer);
    return status;
  }
  return pointer;
}

void CudaBackend::release(void* pointer) {
  if (pointer == nullptr) return;
  allocations_.erase(reinterpret_cast<std::uintptr_t>(pointer));
  // A card that has failed gives nothing back any more, and a later call says so.
  if (enter().ok()) context_->driver()->api().cuMemFree(address_of(pointer));
}

bool CudaBackend::owns(const void* address) const {
  const auto at = reinterpret_cast<std::uintptr_t>(address);
  auto after = allocations_.upper_bound(at);
  if (after == allocations_.begin()) return false;
  const auto& [begin, bytes] = *--after;
  return at - begin < bytes;
}

Status CudaBackend::finish() {
  NAMESAKE_TRY(enter());
  return wait();
}

void CudaBackend::lend_scratch(void* memory, std::size_t bytes) {
  lent_scratch_ = static_cast<std::byte*>(memory);
  lent_scratch_bytes_ = bytes;
}

Result<std::byte*> CudaBackend::scratch(std::size_t bytes) {
  if (lent_scratch_ != nullptr) {
    if (bytes <= lent_scratch_bytes_) return lent_scratch_;
    return Status::error(Code::internal, "an op needs " + std::to_string(bytes) + " bytes of scratch, " +
                                             std::to_string(lent_scratch_bytes_) + " were planned");
  }
  if (bytes > own_scratch_bytes_) {
    release(own_scratch_);  // the driver waits for what uses it
    own_scratch_ = nullptr;
    own_scratch_bytes_ = 0;
    const auto memory = allocate(bytes);
    if (!memory.ok()) return memory.status();
    own_scratch_ = memory.value();
    own_scratch_bytes_ = bytes;
  }
  return static_cast<std::byte*>(own_scratch_);
}

Status CudaBackend::upload(void* to, const void* from_host, std::size_t bytes) {
  if (bytes == 0) return {};
  NAMESAKE_TRY(enter());
  return staging_.upload(address_of(to), from_host, bytes);
}

Status CudaBackend::download(void* to_host, const void* from, std::size_t bytes) {
  if (bytes == 0) return {};
  NAMESAKE_TRY(enter());
  const Driver& driver = *context_->driver();
  NAMESAKE_TRY(driver.status(driver.api().cuMemcpyDtoHAsync(to_host, address_of(from), bytes, context_->stream()), "copying from the card"));
  return wait();
}

Status CudaBackend::copy(void* to, const void* from, std::size_t bytes) {
  if (bytes == 0 || to == from) return {};
  NAMESAKE_TRY(enter());
  const Driver& driver = *context_->driver();
  return driver.status(driver.api().cuMemcpyDtoDAsync(address_of(to), address_of(from), bytes, context_->stream()), "copying on the card");
}

Status CudaBackend::zero(void* to, std::size_t bytes) {
  if (bytes == 0) return {};
  NAMESAKE_TRY(enter());
  const Driver& driver = *context_->driver();
  return driver.status(driver.api().cuMemsetD8Async(address_of(to), 0, bytes, context_->stream()), "clearing the card's memory");
}

Status CudaBackend::wait() {
  if (!done_) {
    auto made = Event::make(*context_);
    if (!made.ok()) return made.status();
    done_ = made.take();
  }
  NAMESAKE_TRY(done_->record(context_->stream()));
  return done_->wait();
}

}  // namespace namesake::cuda
