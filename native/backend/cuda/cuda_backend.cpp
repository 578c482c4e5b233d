#include "backend/cuda/cuda_backend.h"

#include <algorithm>
#include <utility>

#include "backend/cuda/device.h"
#include "backend/host_cores.h"

namespace namesake::cuda {

CudaBackend::CudaBackend(std::unique_ptr<Context> context, const GpuCard& card)
    : context_(std::move(context)),
      card_{card.ordinal, card.name, card.major, card.minor, context_->driver()->version()},
      library_(*context_, card.major * 10 + card.minor),
      staging_(*context_) {}

// On a card that has failed every call fails, and there is nobody left to be told: the driver frees what its process held.
CudaBackend::~CudaBackend() {
  if (!enter().ok()) return;
  if (!context_->synchronise().ok()) return;
  release(own_scratch_);
}

int CudaBackend::threads() const { return physical_cores(); }

std::size_t CudaBackend::scratch_bytes(const Workload& work) const {
  return std::max({rows_scratch(work), embedding_scratch(work), linear_scratch(work), attention_scratch(work), head_loss_scratch(work),
                   optimizer_scratch(work)});
}

Status CudaBackend::add_kernels(const std::string& module, const std::string& ptx) {
  NAMESAKE_TRY(enter());
  return library_.add(module, ptx);
}

Status CudaBackend::launch_kernel(const KernelName& kernel, const Shape& shape, const Work& work, const void* args) {
  const auto& [blocks, threads] = shape;
  if (blocks.x == 0 || blocks.y == 0 || blocks.z == 0) return {};
  constexpr std::int64_t most_x = 0x7fffffff, most = 65535;
  if (blocks.x > most_x || blocks.y > most || blocks.z > most) {
    return Status::error(Code::internal, std::string(kernel.name) + " would need more blocks than a launch has");
  }
  if (cancel_ != nullptr && *cancel_) return Status::error(Code::cancelled, "cancelled between kernels");
  NAMESAKE_TRY(enter());
  const auto function = library_.function(kernel);
  if (!function.ok()) return function.status();
  if (seen_) seen_(kernel, work);
  const auto size = [](std::int64_t n) { return static_cast<unsigned>(n); };
  void* parameters[] = {const_cast<void*>(args)};
  const Driver& driver = *context_->driver();
  NAMESAKE_TRY(driver.status(driver.api().cuLaunchKernel(function.value(), size(blocks.x), size(blocks.y), size(blocks.z), size(threads.x),
                                                         size(threads.y), size(threads.z), 0, context_->stream(), parameters, nullptr),
                             std::string("running ") + kernel.name));
  return pace_.launched(*context_, most_seconds(work));
}

Result<std::unique_ptr<Backend>> make_cuda_backend(std::shared_ptr<const Driver> driver, std::optional<int> ordinal) {
  const auto cards = list_cards(driver);
  if (!cards.ok()) return cards.status();
  const auto chosen = choose_card(cards.value(), ordinal);
  if (!chosen.ok()) return chosen.status();
  auto context = Context::open(std::move(driver), chosen.value());
  if (!context.ok()) return context.status();
  const auto card = std::find_if(cards.value().begin(), cards.value().end(),
                                 [&](const GpuCard& each) { return each.ordinal == chosen.value(); });
  return std::unique_ptr<Backend>(std::make_unique<CudaBackend>(context.take(), *card));
}

}  // namespace namesake::cuda

namespace namesake {

Result<std::unique_ptr<Backend>> make_cuda_backend(std::optional<int> ordinal) {
  auto driver = cuda::Driver::open();
  if (!driver.ok()) return driver.status();
  return cuda::make_cuda_backend(driver.take(), ordinal);
}

}  // namespace namesake
