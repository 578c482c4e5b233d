// The cards of made-up machines, and which of them is taken.
#include "backend/cuda/device.h"

#include <filesystem>
#include <string>

#include "backend/cuda/fake_machine.h"
#include "formats/temporary_folder.h"

namespace namesake::test {

namespace {

constexpr std::uint64_t kMegabyte = std::uint64_t{1} << 20;

GpuReport examine(const char* profile) {
  const FakeMachine machine(profile);
  return cuda::report_of(machine.open());
}

}  // namespace

TEST_CASE("one card: all that is known of it, and it is taken") {
  const GpuReport report = examine("one card");
  CHECK(report.problem.ok());
  CHECK(report.driver_version == 12080);
  REQUIRE(report.cards.size() == 1);
  const GpuCard& card = report.cards[0];
  CHECK(card.problem.ok());
  CHECK(card.name == "Fake RTX 3060");
  CHECK(card.ordinal == 0);
  CHECK(card.major == 8);
  CHECK(card.minor == 6);
  CHECK(card.total_memory == 12288 * kMegabyte);
  CHECK(card.free_memory == 9000 * kMegabyte);
  CHECK(card.multiprocessors == 28);
  CHECK(card.clock_khz == 1777000);
  CHECK_FALSE(card.integrated);
#ifndef _WIN32
  CHECK_FALSE(card.wddm);
#endif
  CHECK(report.chosen == 0);
  CHECK(examine("integrated").cards.at(0).integrated);
}

#ifndef _WIN32
TEST_CASE("under Windows' Linux the display driver model lies below, unless the card is under NVIDIA's compute model") {
  const TemporaryFolder root;
  const auto folder = std::filesystem::path(root.path()) / "usr/lib/wsl/lib";
  std::filesystem::create_directories(folder);
  const std::string library = (folder / "libcuda.so.1").string();
  std::filesystem::copy_file(NAMESAKE_FAKE_DRIVER, library);
  const auto wddm = [](const std::string& path, const char* profile) {
    const FakeMachine machine(profile, path.c_str());
    return cuda::report_of(machine.open()).cards.at(0).wddm;
  };
  CHECK(wddm(library, "one card"));
  CHECK_FALSE(wddm(library, "compute model"));
  CHECK_FALSE(wddm(NAMESAKE_FAKE_DRIVER, "one card"));
}
#endif

TEST_CASE("two cards: the one with the most free memory, or the one that is asked for") {
  const GpuReport report = examine("two cards");
  CHECK(report.chosen == 1);
  const auto& cards = report.cards;
  CHECK(cuda::choose_card(cards, 0).value() == 0);
  CHECK(cuda::choose_card(cards, 1).value() == 1);
  for (const int wrong : {-1, 2}) {
    const Status status = cuda::choose_card(cards, wrong).status();
    CHECK(status.code == Code::gpu_no_such_card);
    CHECK(status.message.find("card " + std::to_string(wrong)) != std::string::npos);
  }
  auto equal = cards;
  equal[1].free_memory = equal[0].free_memory;
  CHECK(cuda::choose_card(equal).value() == 0);
}

TEST_CASE("a card that is too old is not taken, and not for its memory either") {
  const GpuReport alone = examine("old card");
  CHECK(alone.problem.code == Code::gpu_card_too_old);
  CHECK(alone.problem.message == "Fake GTX 1080 has compute capability 6.1, 7.5 is needed");
  CHECK_FALSE(alone.chosen.has_value());
  CHECK(alone.driver_version == 12080);
  REQUIRE(alone.cards.size() == 1);
  CHECK(alone.cards[0].total_memory == 8192 * kMegabyte);
  CHECK_FALSE(alone.cards[0].free_memory.has_value());

  const GpuReport both = examine("old and new card");
  CHECK(both.problem.ok());
  CHECK(both.chosen == 1);
  CHECK(cuda::choose_card(both.cards, 0).status().code == Code::gpu_card_too_old);
}

TEST_CASE("too little memory is said with the numbers; of two cards the closer one's reason counts") {
  const GpuReport report = examine("little memory");
  REQUIRE(report.cards.size() == 2);
  CHECK(report.cards[0].problem.code == Code::gpu_card_too_old);
  const Status& problem = report.problem;
  CHECK(problem.code == Code::gpu_memory_insufficient);
  CHECK(problem.message.find("Fake RTX 3050") == 0);
  CHECK(problem.needed == cuda::kLeastMemory);
  CHECK(problem.available == 300 * kMegabyte);
  CHECK(report.cards[1].free_memory == 300 * kMegabyte);
}

TEST_CASE("a card that gives no place, and cards that cannot be listed") {
  const GpuReport full = examine("no place");
  CHECK(full.problem.code == Code::gpu_memory_insufficient);
  CHECK(full.problem.message.find("Fake RTX 3060, taking a place") == 0);
  const GpuReport none = examine("no list");
  CHECK(none.problem.code == Code::gpu_failed);
  CHECK(none.cards.empty());
  CHECK(cuda::choose_card({}).status().code == Code::gpu_no_card);
}

}  // namespace namesake::test
