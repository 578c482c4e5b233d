// Fuzz target: any bytes as the config.json of a folder. What is read must be a config that can be computed; run under sanitizers.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "engine/config.h"
#include "engine/config_hf.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace namesake;
  const Result<JsonObject> json = JsonObject::parse({reinterpret_cast<const char*>(data), size}, Code::model_invalid);
  if (!json.ok()) return 0;
  const Result<Config> config = read_hf_config(json.value());
  if (!config.ok()) {
    const Code code = config.status().code;
    const bool known = code == Code::model_invalid || code == Code::model_unknown_architecture || code == Code::model_unknown_block;
    if (!known || config.status().message.empty()) std::abort();
    return 0;
  }
  const Config& c = config.value();
  if (!check_sizes(c).ok() || c.rope_adjacent || !(c.rope_theta >= 1) || !(c.rms_eps > 0)) std::abort();
  if (c.rope_scaling.type == RopeScaling::Type::llama3 && !(c.rope_scaling.original_context >= 1)) std::abort();
  return 0;
}
