#include "driver/stream_queue.h"

#include <vector>

#include "driver/state.h"
#include "execute/settings.h"

namespace ptxcpu {
namespace {

constexpr int kFirstSticky = 700;

}  // namespace

CUstream StreamQueues::resolve(CUstream stream) {
  return !stream || stream == CU_STREAM_LEGACY || stream == CU_STREAM_PER_THREAD ? &legacy_ : stream;
}

void StreamQueues::run_up_to(CUstream stream, std::uint64_t last) {
  while (!stream->queue.empty() && stream->queue.front().number <= last) {
    const Work work = std::move(stream->queue.front());
    stream->queue.pop_front();
    if (error_) continue;
    if (const int error = work.run(); error) error_ = error;
  }
}

CUresult StreamQueues::submit(CUstream stream, std::function<int()> run) {
  if (!settings().lazy) {
    const int error = run();
    if (error >= kFirstSticky) error_ = error;
    return result(error);
  }
  const std::uint64_t number = ++newest_;
  CUstream at = resolve(stream);
  if (at == &legacy_) {
    // After everything submitted before it, on any stream.
    at->queue.push_back({number, [this, number, run] {
                           const std::set<CUstream> all = driver().streams;
                           for (CUstream other : all) run_up_to(other, number);
                           return run();
                         }});
  } else {
    const std::uint64_t before = legacy_.queue.empty() ? 0 : legacy_.queue.back().number;
    at->queue.push_back({number, [this, before, run] {
                           run_up_to(&legacy_, before);
                           return run();
                         }});
  }
  return CUDA_SUCCESS;
}

CUresult StreamQueues::drain(CUstream stream, std::uint64_t last) {
  run_up_to(resolve(stream), last);
  return result(error_);
}

CUresult StreamQueues::drain_all() {
  // Not in the order of creation: nothing may rely on an order between streams.
  const std::vector<CUstream> all(driver().streams.rbegin(), driver().streams.rend());
  for (CUstream stream : all) run_up_to(stream, UINT64_MAX);
  return drain(nullptr);
}

}  // namespace ptxcpu
