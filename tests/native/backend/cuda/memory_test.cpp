// Memory of a card, and what a backend does with its driver: on the stand-in or on a real card.
#include <atomic>
#include <cstring>
#include <memory>
#include <thread>

#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/cuda_fixture.h"
#include "backend/cuda/fake_machine.h"

TEST_SUITE_BEGIN("cuda");

namespace namesake::test {

namespace {

/// A backend of its own on the driver under test.
std::unique_ptr<Backend> open_backend() {
  auto driver = StandIn::open_driver();
  REQUIRE_MESSAGE(driver.ok(), driver.status().message);
  auto made = cuda::make_cuda_backend(driver.take());
  REQUIRE_MESSAGE(made.ok(), made.status().message);
  return made.take();
}

std::vector<std::byte> random_bytes(std::size_t count) {
  Random random("bytes");
  std::vector<std::byte> bytes(count);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.bits());
  return bytes;
}

}  // namespace

TEST_CASE("cuda: memory is zeroed, aligned, and what is uploaded comes back") {
  Backend* const backend = cuda_backend();
  if (backend == nullptr) return;
  CHECK(backend->name() == "cuda");
  CHECK(backend->isa().starts_with("sm_"));
  CHECK_FALSE(backend->reads_host_memory());
  CHECK(backend->threads() > 0);
  // On the stand-in nothing is done before somebody waits for it: what is on its way must not be written over.
  const auto late = StandIn::there() ? std::make_unique<StandIn>("PTXCPU_LAZY", "1") : nullptr;
  // Through all of the staging memory twice, with pieces that do not fill its parts.
  for (const std::size_t bytes : {std::size_t{0}, std::size_t{1}, std::size_t{1000}, (std::size_t{9} << 20) + 13}) {
    CAPTURE(bytes);
    const auto memory = backend->allocate(bytes);
    REQUIRE(memory.ok());
    CHECK(reinterpret_cast<std::uintptr_t>(memory.value()) % 256 == 0);
    std::vector<std::byte> back(bytes, std::byte{1});
    CHECK(backend->download(back.data(), memory.value(), bytes).ok());
    CHECK(back == std::vector<std::byte>(bytes));
    const auto original = random_bytes(bytes);
    auto sent = original;
    CHECK(backend->upload(memory.value(), sent.data(), bytes).ok());
    sent.assign(bytes, std::byte{0});  // it may change at once
    CHECK(backend->download(back.data(), memory.value(), bytes).ok());
    CHECK(back == original);
    const auto copy = backend->allocate(bytes);
    REQUIRE(copy.ok());
    CHECK(backend->copy(copy.value(), memory.value(), bytes).ok());
    CHECK(backend->zero(memory.value(), bytes / 2).ok());
    CHECK(backend->download(back.data(), copy.value(), bytes).ok());
    CHECK(back == original);
    CHECK(backend->download(back.data(), memory.value(), bytes).ok());
    CHECK(std::equal(back.begin() + static_cast<std::ptrdiff_t>(bytes / 2), back.end(), original.begin() + static_cast<std::ptrdiff_t>(bytes / 2)));
    CHECK(std::all_of(back.begin(), back.begin() + static_cast<std::ptrdiff_t>(bytes / 2), [](std::byte b) { return b == std::byte{0}; }));
    backend->release(copy.value());
    backend->release(memory.value());
  }
  backend->release(nullptr);
}

TEST_CASE("cuda: what was given back is free again, from whatever thread") {
  Backend* const backend = cuda_backend();
  if (backend == nullptr) return;
  const std::uint64_t before = backend->available();
  void* memory = nullptr;
  std::uint64_t between = 0;
  std::thread([&] {
    memory = backend->allocate(std::size_t{64} << 20).value();
    between = backend->available();
  }).join();
  CHECK(before - between >= std::uint64_t{64} << 20);
  backend->release(memory);
  if (StandIn::there()) CHECK(backend->available() == before);
}

TEST_CASE("cuda: a cancelled op runs nothing, and the next one goes on") {
  Backend* const backend = cuda_backend();
  if (backend == nullptr) return;
  const Array x(*backend, std::vector<float>{1, 2, 3}), y(*backend, std::vector<float>{1, 1, 1});
  std::atomic<bool> flag{true};
  backend->set_cancel(&flag);
  CHECK(backend->add(x.data(), 3, y.data()).code == Code::cancelled);
  flag = false;
  CHECK(backend->add(x.data(), 3, y.data()).ok());
  backend->set_cancel(nullptr);
  CHECK(y.host() == std::vector<float>{2, 3, 4});
}

TEST_CASE("cuda: more launches than the host may be ahead by all run, in their order") {
  Backend* const backend = cuda_backend();
  if (backend == nullptr) return;
  const Array one(*backend, std::vector<float>{1}), sum(*backend, std::vector<float>{0});
  for (int i = 0; i < 100; ++i) CHECK(backend->add(one.data(), 1, sum.data()).ok());
  CHECK(sum.host() == std::vector<float>{100});
}

TEST_CASE("cuda: memory that there is not is refused with the numbers") {
  Backend* const backend = cuda_backend();
  if (backend == nullptr) return;
  const std::size_t bytes = std::size_t{1} << 45;
  const Status status = backend->allocate(bytes).status();
  CHECK(status.code == Code::gpu_memory_insufficient);
  CHECK(status.needed == bytes);
  CHECK(status.available > 0);
  CHECK(status.available < bytes);
  CHECK(backend->allocate(16).ok());
}

TEST_CASE("cuda: a kernel that fails is heard of, and so is every call after it") {
  if (cuda_backend() == nullptr || !StandIn::there()) return;
  const auto backend = open_backend();
  const auto memory = backend->allocate(16);
  REQUIRE(memory.ok());
  auto* const x = static_cast<float*>(memory.value());
  CHECK(backend->add(x, 4, x).ok());
  {
    const StandIn stand_in("PTXCPU_FAIL_LAUNCH", "1:719");
    float host[4];
    Status status = backend->add(x, 4, x);
    if (status.ok()) status = backend->download(host, x, sizeof(host));
    CHECK(status.code == Code::gpu_failed);
    CHECK(backend->download(host, x, sizeof(host)).code == Code::gpu_failed);
    CHECK(backend->allocate(16).status().code == Code::gpu_failed);
    CHECK(backend->available() == 0);
  }
  backend->release(x);
}

TEST_CASE("cuda: a driver that cannot run the kernels says so at the first one, and nothing stays open") {
  const FakeMachine machine("two cards");
  {
    auto made = cuda::make_cuda_backend(machine.driver(), 0);
    REQUIRE(made.ok());
    const std::unique_ptr<Backend> backend = made.take();
    CHECK(backend->isa() == "sm_75");
    CHECK(backend->card()->ordinal == 0);
    const auto most = cuda::make_cuda_backend(machine.driver());
    CHECK(most.value()->isa() == "sm_86");
    CHECK(most.value()->card()->ordinal == 1);
    const auto memory = backend->allocate(64);
    REQUIRE(memory.ok());
    auto* const x = static_cast<float*>(memory.value());
    CHECK(backend->upload(x, "some text", 10).ok());
    const Status status = backend->add(x, 4, x);
    CHECK(status.code == Code::gpu_failed);
    CHECK(status.message.find("rows has no add") == 0);
    backend->release(x);
  }
  CHECK(cuda::make_cuda_backend(machine.driver(), 2).status().code == Code::gpu_no_such_card);
}

}  // namespace namesake::test

TEST_SUITE_END();
