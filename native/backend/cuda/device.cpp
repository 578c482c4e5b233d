#include "backend/cuda/device.h"

#include <algorithm>
#include <utility>

#include "backend/cuda/context.h"

namespace namesake {
namespace cuda {
namespace {

/// An attribute, 0 where the driver does not tell it.
int attribute(const Driver& driver, CUdevice device, CUdevice_attribute which) {
  int value = 0;
  return driver.api().cuDeviceGetAttribute(&value, which, device) == CUDA_SUCCESS ? value : 0;
}

/// What the driver says of a card before there is a context on it.
Status describe_card(const Driver& driver, GpuCard& card) {
  CUdevice device = 0;
  NAMESAKE_TRY(driver.status(driver.api().cuDeviceGet(&device, card.ordinal), "reading card " + std::to_string(card.ordinal)));
  char name[256] = {};
  NAMESAKE_TRY(driver.status(driver.api().cuDeviceGetName(name, sizeof(name) - 1, device), "reading a card's name"));
  card.name = name;
  std::size_t total = 0;
  NAMESAKE_TRY(driver.status(driver.api().cuDeviceTotalMem(&total, device), card.name));
  card.total_memory = total;
  card.major = attribute(driver, device, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
  card.minor = attribute(driver, device, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
  card.multiprocessors = attribute(driver, device, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
  card.clock_khz = attribute(driver, device, CU_DEVICE_ATTRIBUTE_CLOCK_RATE);
  card.integrated = attribute(driver, device, CU_DEVICE_ATTRIBUTE_INTEGRATED) != 0;
  card.wddm = driver.wddm(device);
  return {};
}

/// Whether the card can be used. Its free memory can only be asked for from a context on it.
Status try_card(const std::shared_ptr<const Driver>& driver, GpuCard& card) {
  if (card.major * 10 + card.minor < kLeastCapability) {
    return Status::error(Code::gpu_card_too_old, card.name + " has compute capability " + std::to_string(card.major) + "." +
                                                     std::to_string(card.minor) + ", 7.5 is needed");
  }
  const auto context = Context::open(driver, card.ordinal);
  if (!context.ok()) return Status::error(context.status().code, card.name + ", " + context.status().message);
  const auto free = context.value()->free_memory();
  if (!free.ok()) return free.status();
  card.free_memory = free.value();
  if (free.value() >= kLeastMemory) return {};
  Status status = Status::out_of_memory(card.name + ": the smallest model", kLeastMemory, free.value());
  status.code = Code::gpu_memory_insufficient;
  return status;
}

/// How close a card that cannot be used came to it; less is closer.
int distance(const GpuCard& card) {
  switch (card.problem.code) {
    case Code::gpu_memory_insufficient: return 0;
    case Code::gpu_card_too_old: return 2;
    default: return 1;
  }
}

}  // namespace

Result<std::vector<GpuCard>> list_cards(const std::shared_ptr<const Driver>& driver) {
  int count = 0;
  NAMESAKE_TRY(driver->status(driver->api().cuDeviceGetCount(&count), "counting the cards"));
  std::vector<GpuCard> cards(static_cast<std::size_t>(std::max(count, 0)));
  for (int i = 0; i < count; ++i) {
    GpuCard& card = cards[static_cast<std::size_t>(i)];
    card.ordinal = i;
    card.problem = describe_card(*driver, card);
    if (card.problem.ok()) card.problem = try_card(driver, card);
  }
  return cards;
}

Result<int> choose_card(const std::vector<GpuCard>& cards, std::optional<int> wanted) {
  if (cards.empty()) return Status::error(Code::gpu_no_card, "the driver finds no card");
  if (wanted) {
    for (const GpuCard& card : cards) {
      if (card.ordinal != *wanted) continue;
      return card.problem.ok() ? Result<int>(card.ordinal) : Result<int>(card.problem);
    }
    return Status::error(Code::gpu_no_such_card, "no card " + std::to_string(*wanted) + " among " + std::to_string(cards.size()));
  }
  const auto better = [](const GpuCard& a, const GpuCard& b) {
    if (a.problem.ok() != b.problem.ok()) return a.problem.ok();
    return a.problem.ok() ? a.free_memory > b.free_memory : distance(a) < distance(b);
  };
  const GpuCard& best = *std::min_element(cards.begin(), cards.end(), better);
  return best.problem.ok() ? Result<int>(best.ordinal) : Result<int>(best.problem);
}

GpuReport report_of(const Result<std::shared_ptr<const Driver>>& driver) {
  GpuReport report;
  report.problem = driver.status();
  if (!driver.ok()) return report;
  report.driver_version = driver.value()->version();
  auto cards = list_cards(driver.value());
  report.problem = cards.status();
  if (!cards.ok()) return report;
  report.cards = cards.take();
  const auto chosen = choose_card(report.cards);
  report.problem = chosen.status();
  if (chosen.ok()) report.chosen = chosen.value();
  return report;
}

}  // namespace cuda

GpuReport examine_gpus() { return cuda::report_of(cuda::Driver::open()); }

}  // namespace namesake
