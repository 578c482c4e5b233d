#include "addon/compute_options.h"

#include <charconv>
#include <utility>

namespace namesake::addon {
namespace {

Result<std::shared_ptr<Backend>> shared(Result<std::unique_ptr<Backend>> made) {
  if (!made.ok()) return made.status();
  return std::shared_ptr<Backend>(made.take());
}

}  // namespace

bool is_card(const std::string& device, std::optional<int>* ordinal) {
  const std::string prefix = "cuda:";
  if (device == "cuda") return true;
  if (device.compare(0, prefix.size(), prefix) != 0) return false;
  int number = 0;
  const char *first = device.data() + prefix.size(), *last = device.data() + device.size();
  const auto [end, error] = std::from_chars(first, last, number);
  if (error != std::errc() || end != last || number < 0) return false;
  if (ordinal != nullptr) *ordinal = number;
  return true;
}

ComputeOptions read_compute_options(Fields& fields) {
  ComputeOptions options;
  options.precision = fields.text("precision");
  options.device = fields.text("device");
  options.isa = fields.text("isa");
  options.threads = fields.integer("threads");
  return options;
}

Status read_precision(const std::string& name, Precision& precision) {
  return read_name(name, {{"as-stored", Precision::as_stored}, {"f32", Precision::f32}, {"bf16", Precision::bf16}, {"nf4", Precision::nf4}},
                   Status::error(Code::recipe_unsupported, "precision " + name + " (as-stored, f32, bf16 and nf4 work)"), precision);
}

Result<std::shared_ptr<Backend>> make_backend(const ComputeOptions& options) {
  if (options.device == "reference") return std::shared_ptr<Backend>(make_reference_backend());
  if (options.device == "cpu") return shared(make_cpu_backend(options.isa, static_cast<int>(options.threads)));
  std::optional<int> ordinal;
  if (is_card(options.device, &ordinal)) return shared(make_cuda_backend(ordinal));
  return Status::error(Code::device_unavailable, "there is no device " + options.device);
}

}  // namespace namesake::addon
