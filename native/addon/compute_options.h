// Compute options: how an engine is to compute, as JavaScript says it.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "addon/convert.h"
#include "namesake/model.h"

namespace namesake::addon {

/// {precision, device, isa, threads} of an options object.
struct ComputeOptions {
  std::string precision, device, isa;
  std::int64_t threads = 0;
};

/// Whether a device is a card: "cuda", or "cuda:1" for the one that the driver counts as 1, which `ordinal` is set to then.
bool is_card(const std::string& device, std::optional<int>* ordinal = nullptr);

/// Reads them; a wrong type is the fields' own status.
ComputeOptions read_compute_options(Fields& fields);

/// recipe.unsupported for a precision that the engine does not have.
Status read_precision(const std::string& name, Precision& precision);

/// Of a device by its name; which one auto is, only a plan can say (memory_call.h). device.unavailable | isa.unsupported | gpu.*, of a card.
Result<std::shared_ptr<Backend>> make_backend(const ComputeOptions& options);

}  // namespace namesake::addon
