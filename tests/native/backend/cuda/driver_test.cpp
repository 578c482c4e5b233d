// Opening a driver: on this machine, and on machines that lack something.
#include "backend/cuda/driver.h"

#include <filesystem>

#include "backend/cuda/device.h"
#include "backend/cuda/fake_machine.h"
#include "formats/temporary_folder.h"

namespace namesake::test {

TEST_CASE("the driver is looked for in the system's own folders, by full path") {
  for (const std::string& place : cuda::driver_places()) {
    CAPTURE(place);
    CHECK(std::filesystem::path(place).is_absolute());
  }
#if defined(__linux__)
  CHECK(cuda::driver_places().size() > 3);
#endif
}

TEST_CASE("this machine: its cards, or the reason why there are none") {
  const GpuReport report = examine_gpus();
  bool driver_is_there = false;
  for (const std::string& place : cuda::driver_places()) driver_is_there = driver_is_there || std::filesystem::exists(place);
  if (!driver_is_there) {
    CHECK(report.problem.code == Code::gpu_no_driver);
    CHECK(report.driver_version == 0);
    CHECK(report.cards.empty());
#if defined(__linux__)
    CHECK(report.problem.message == "there is no libcuda.so.1 in the system's folders");
#endif
  }
  CHECK(report.problem.ok() == report.chosen.has_value());
  CHECK(report.problem.ok() == report.problem.message.empty());
}

TEST_CASE("no driver, and files that are none") {
  const auto code_of = [](const std::string& path) { return cuda::Driver::open(path).status().code; };
  const TemporaryFolder folder;
  const std::string path = (std::filesystem::path(folder.path()) / "libcuda.so.1").string();
  CHECK(code_of(path) == Code::gpu_no_driver);
  CHECK(cuda::open_library({}).status().code == Code::gpu_no_driver);
  for (const char* text : {"", "no library at all"}) {
    write_text(path, text);
    const Status status = cuda::Driver::open(path).status();
    CHECK(status.code == Code::gpu_driver_unusable);
    CHECK(status.message.find("libcuda.so.1") != std::string::npos);
  }
  // One that cannot be opened does not hide one that can.
  CHECK(cuda::open_library({path, NAMESAKE_FAKE_DRIVER}).value().path == NAMESAKE_FAKE_DRIVER);
  const Status other = cuda::Driver::open(NAMESAKE_OTHER_DRIVER).status();
  CHECK(other.code == Code::gpu_driver_unusable);
  CHECK(other.message.find("has no function cuInit") != std::string::npos);
}

TEST_CASE("a driver that works tells its version; what it knows of errors becomes words") {
  const FakeMachine machine("one card");
  const auto driver = machine.driver();
  CHECK(driver->version() == 12080);
  CHECK(driver->library() == NAMESAKE_FAKE_DRIVER);
  CHECK(cuda::version_text(12080) == "12.8");
  CHECK(cuda::version_text(11000) == "11.0");
  CHECK(driver->describe(cuda::CUDA_ERROR_OUT_OF_MEMORY) == "CUDA_ERROR_OUT_OF_MEMORY (in words)");
  CHECK(driver->describe(static_cast<cuda::CUresult>(4711)) == "CUDA error 4711");
  CHECK(driver->status(cuda::CUDA_SUCCESS, "x").ok());
  CHECK(driver->status(cuda::CUDA_ERROR_OUT_OF_MEMORY, "x").code == Code::gpu_memory_insufficient);
  CHECK(driver->status(cuda::CUDA_ERROR_JIT_COMPILER_NOT_FOUND, "x").code == Code::gpu_driver_unusable);
  CHECK(driver->status(cuda::CUDA_ERROR_NOT_FOUND, "x").code == Code::gpu_failed);
}

TEST_CASE("each driver that does not work has its reason") {
  const struct {
    const char* profile;
    const char* library;
    Code code;
    const char* says;
  } cases[] = {
      {"old driver", NAMESAKE_FAKE_DRIVER, Code::gpu_driver_too_old, "it knows CUDA 10.2, 11.0 is needed"},
      // An old driver may lack functions: its age is what is wrong with it.
      {"old driver", NAMESAKE_LACKING_DRIVER, Code::gpu_driver_too_old, "10.2"},
      {"one card", NAMESAKE_LACKING_DRIVER, Code::gpu_driver_unusable, "has no function cuEventRecord"},
      {"half updated", NAMESAKE_FAKE_DRIVER, Code::gpu_driver_unusable, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"},
      {"no card", NAMESAKE_FAKE_DRIVER, Code::gpu_no_card, "no card"},
  };
  for (const auto& one : cases) {
    CAPTURE(one.profile);
    const FakeMachine machine(one.profile, one.library);
    const auto driver = machine.open();
    CHECK(driver.status().code == one.code);
    CHECK(driver.status().message.find(one.says) != std::string::npos);
    const GpuReport report = cuda::report_of(driver);
    CHECK(report.problem.code == one.code);
    CHECK(report.driver_version == 0);
    CHECK(report.cards.empty());
    CHECK_FALSE(report.chosen.has_value());
  }
}

}  // namespace namesake::test
