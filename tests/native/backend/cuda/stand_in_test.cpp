// Machines that the stand-in can be: each reason why there is no card, from a driver that loads, and cards that work.
#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/cuda_fixture.h"
#include "backend/cuda/device.h"

TEST_SUITE_BEGIN("cuda");

namespace namesake::test {

namespace {

constexpr std::uint64_t kMegabyte = std::uint64_t{1} << 20;

GpuReport report_of_stand_in() { return cuda::report_of(StandIn::open_driver()); }

/// Whether a backend can be made, and computes.
Status try_backend() {
  auto driver = StandIn::open_driver();
  if (!driver.ok()) return driver.status();
  auto made = cuda::make_cuda_backend(driver.take());
  if (!made.ok()) return made.status();
  Backend& backend = *made.value();
  const Array x(backend, std::vector<float>{1, 2}), y(backend, std::vector<float>{3, 4});
  NAMESAKE_TRY(backend.add(x.data(), 2, y.data()));
  CHECK(y.host() == std::vector<float>{4, 6});
  return {};
}

}  // namespace

TEST_CASE("cuda: each machine without a usable card has its reason") {
  if (!StandIn::there()) return;
  const struct {
    const char* profile;
    Code code;
    const char* says;
  } cases[] = {
      {"no-device", Code::gpu_no_card, "no card"},
      {"ancient-driver", Code::gpu_driver_too_old, "it knows CUDA 10.2, 11.0 is needed"},
      {"pascal-8gb", Code::gpu_card_too_old, "NVIDIA GeForce GTX 1080 has compute capability 6.1, 7.5 is needed"},
  };
  for (const auto& one : cases) {
    CAPTURE(one.profile);
    const StandIn stand_in("PTXCPU_PROFILE", one.profile);
    const GpuReport report = report_of_stand_in();
    CHECK(report.problem.code == one.code);
    CHECK(report.problem.message.find(one.says) != std::string::npos);
    CHECK_FALSE(report.chosen.has_value());
    CHECK(try_backend().code == one.code);
  }
}

TEST_CASE("cuda: cards of both families and the oldest driver run the kernels") {
  if (!StandIn::there()) return;
  const struct {
    const char* profile;
    int driver, capability;
    std::uint64_t memory;
  } cases[] = {
      {"turing-6gb", 12040, 75, 6144}, {"ampere-12gb", 12040, 86, 12288}, {"hopper", 13000, 90, 80 * 1024},
      {"old-driver", 11000, 86, 12288}, {"small-memory", 12040, 75, 2048},
  };
  for (const auto& one : cases) {
    CAPTURE(one.profile);
    const StandIn stand_in("PTXCPU_PROFILE", one.profile);
    const GpuReport report = report_of_stand_in();
    CHECK(report.problem.ok());
    CHECK(report.driver_version == one.driver);
    REQUIRE(report.cards.size() == 1);
    CHECK(report.cards[0].major * 10 + report.cards[0].minor == one.capability);
    CHECK(report.cards[0].total_memory == one.memory * kMegabyte);
    const Status status = try_backend();
    CHECK_MESSAGE(status.ok(), status.message);
  }
}

TEST_CASE("cuda: a card with too little memory, and one whose memory runs out") {
  if (!StandIn::there()) return;
  {
    const StandIn stand_in("PTXCPU_MEM_MB", "300");
    const Status status = try_backend();
    CHECK(status.code == Code::gpu_memory_insufficient);
    CHECK(status.needed == 384 * kMegabyte);
    CHECK(status.available <= 300 * kMegabyte);
  }
  const StandIn stand_in("PTXCPU_FAIL_ALLOC", "1");
  auto driver = StandIn::open_driver();
  REQUIRE(driver.ok());
  const auto backend = cuda::make_cuda_backend(driver.take());
  REQUIRE(backend.ok());
  CHECK(backend.value()->allocate(1000).status().code == Code::gpu_memory_insufficient);
  CHECK(backend.value()->allocate(1000).ok());
}

}  // namespace namesake::test

TEST_SUITE_END();
