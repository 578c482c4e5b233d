#include "backend/cuda/stand_in_counts.h"

#include <algorithm>
#include <cstdlib>

#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/cuda_fixture.h"
#include "backend/cuda/driver_library.h"
#include "driver/test_hooks.h"

namespace namesake::test {

std::vector<CountedLaunch> launches_of(const std::function<void()>& run) {
  const auto library = cuda::open_library({std::getenv("NAMESAKE_TEST_DRIVER")});
  REQUIRE(library.ok());
  void* const handle = library.value().handle;
  const auto launches = reinterpret_cast<decltype(&ptxcpuLaunches)>(cuda::find_function(handle, "ptxcpuLaunches"));
  const auto counts_at = reinterpret_cast<decltype(&ptxcpuLaunchCounts)>(cuda::find_function(handle, "ptxcpuLaunchCounts"));
  REQUIRE((launches && counts_at));
  const unsigned long long before = launches();
  run();
  std::vector<CountedLaunch> all;
  for (unsigned long long index = before; index < launches(); ++index) {
    const char* name = nullptr;
    Counts counts{};
    REQUIRE(counts_at(index, &name, &counts) == 1);
    all.push_back({name,
                   {std::int64_t(counts.global_load_bytes), std::int64_t(counts.global_store_bytes), std::int64_t(counts.mma),
                    std::int64_t(counts.ldmatrix), std::int64_t(counts.mma_flop), std::int64_t(counts.thread_instructions)}});
  }
  return all;
}

LaunchCounts counts_of(const std::string& kernel, const std::function<void()>& run) {
  const std::vector<CountedLaunch> all = launches_of(run);
  const auto found = std::find_if(all.rbegin(), all.rend(), [&](const CountedLaunch& launch) { return launch.kernel == kernel; });
  if (found != all.rend()) return found->counts;
  FAIL("no launch of ", kernel);
  return {};
}

}  // namespace namesake::test
