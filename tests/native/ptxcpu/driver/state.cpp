#include "driver/state.h"

#include "execute/report.h"

namespace ptxcpu {

Driver& driver() {
  static Driver& made = *new Driver;
  return made;
}

std::vector<CUcontext>& context_stack() {
  static thread_local std::vector<CUcontext> stack;
  return stack;
}

int current_device() { return context_stack().empty() || !context_stack().back() ? 0 : context_stack().back()->device; }

bool is_device(CUdevice device) { return device >= 0 && device < settings().devices; }

CUresult refuse(const std::string& message, CUresult code) {
  report(message);
  return code;
}

bool known_stream(CUstream stream) {
  return !stream || stream == CU_STREAM_LEGACY || stream == CU_STREAM_PER_THREAD || driver().streams.contains(stream);
}

}  // namespace ptxcpu
