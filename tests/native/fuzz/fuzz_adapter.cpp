// Fuzz target: any bytes as an adapter's folder, adapter_config.json up to the first 0 byte and adapter_model.safetensors after
// it. What loads into a tiny model must be finite, and the same again from what it writes; run under sanitizers.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "backend/ops.h"
#include "formats/temporary_folder.h"
#include "namesake/model.h"

namespace {

using namespace namesake;

std::shared_ptr<Model> open_tiny() {
  auto model = Model::open(NAMESAKE_FIXTURES "/tiny-llama.gguf", Precision::as_stored, make_reference_backend());
  if (!model.ok()) std::abort();
  return model.take();
}

std::size_t size_of(const Trainable& t) { return static_cast<std::size_t>(t.rows * t.cols); }

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const test::TemporaryFolder folder;
  static const std::shared_ptr<Model> model = open_tiny();
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t border = std::min(input.find('\0'), size);
  test::write_text(folder / "adapter_config.json", std::string(input.substr(0, border)));
  test::write_text(folder / "adapter_model.safetensors", std::string(input.substr(std::min(border + 1, size))));

  const auto loaded = Adapter::load(*model, folder.path(), false);
  if (!loaded.ok()) {
    const Status& status = loaded.status();
    if (status.code != Code::adapter_invalid && status.code != Code::adapter_mismatch) std::abort();
    if (status.message.empty()) std::abort();
    return 0;
  }
  const std::string again = folder / "again";
  std::filesystem::create_directory(again);
  if (!loaded.value()->save(again, "tiny").ok()) std::abort();
  const auto reloaded = Adapter::load(*model, again, false);
  if (!reloaded.ok()) std::abort();
  const auto &ours = loaded.value()->trainables(), &theirs = reloaded.value()->trainables();
  if (ours.size() != theirs.size()) std::abort();
  for (std::size_t i = 0; i < ours.size(); ++i) {
    if (size_of(ours[i]) != size_of(theirs[i])) std::abort();
    const float* values = ours[i].value;  // the reference backend's memory is the host's
    if (!std::all_of(values, values + size_of(ours[i]), [](float x) { return std::isfinite(x); })) std::abort();
    if (!std::equal(values, values + size_of(ours[i]), theirs[i].value)) std::abort();
  }
  return 0;
}
