// Status: how every native function says what went wrong. Nothing here throws, exits, aborts or prints.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace namesake {

// One line a code: (enumerator, wire name). The wire names are a subset of shared/errors.ts; a test compares them.
#define NAMESAKE_ERROR_CODES(X)                        \
  X(cancelled, "cancelled")                            \
  X(model_unreadable, "model.unreadable")              \
  X(model_truncated, "model.truncated")                \
  X(model_invalid, "model.invalid")                    \
  X(model_unknown_format, "model.unknown_format")      \
  X(model_unknown_architecture, "model.unknown_architecture") \
  X(model_unknown_block, "model.unknown_block")        \
  X(model_missing_tensor, "model.missing_tensor")      \
  X(adapter_unreadable, "adapter.unreadable")          \
  X(adapter_invalid, "adapter.invalid")                \
  X(adapter_mismatch, "adapter.mismatch")              \
  X(checkpoint_invalid, "checkpoint.invalid")          \
  X(recipe_unsupported, "recipe.unsupported")          \
  X(rows_invalid, "rows.invalid")                      \
  X(context_overflow, "context.overflow")              \
  X(training_diverged, "training.diverged")            \
  X(memory_insufficient, "memory.insufficient")        \
  X(disk_full, "disk.full")                            \
  X(disk_unwritable, "disk.unwritable")                \
  X(device_unavailable, "device.unavailable")          \
  X(gpu_no_driver, "gpu.no_driver")                    \
  X(gpu_driver_unusable, "gpu.driver_unusable")        \
  X(gpu_driver_too_old, "gpu.driver_too_old")          \
  X(gpu_no_card, "gpu.no_card")                        \
  X(gpu_no_such_card, "gpu.no_such_card")              \
  X(gpu_card_too_old, "gpu.card_too_old")              \
  X(gpu_memory_insufficient, "gpu.memory_insufficient") \
  X(gpu_failed, "gpu.failed")                          \
  X(isa_unsupported, "isa.unsupported")                \
  X(engine_busy, "engine.busy")                        \
  X(engine_closed, "engine.closed")                    \
  X(internal, "internal")

enum class Code {
  ok,
#define NAMESAKE_ENUMERATOR(name, wire) name,
  NAMESAKE_ERROR_CODES(NAMESAKE_ENUMERATOR)
#undef NAMESAKE_ENUMERATOR
};

/// The code's wire name, as in shared/errors.ts; "ok" for success.
inline const char* code_name(Code code) {
  switch (code) {
    case Code::ok: return "ok";
#define NAMESAKE_CASE(name, wire) \
  case Code::name: return wire;
    NAMESAKE_ERROR_CODES(NAMESAKE_CASE)
#undef NAMESAKE_CASE
  }
  return "internal";
}

/// Success, or a code with one English sentence of detail (what was found where) for "copy details".
struct [[nodiscard]] Status {
  Code code = Code::ok;
  std::string message;
  std::uint64_t needed = 0, available = 0;  ///< bytes, of memory.insufficient that came of a plan; else 0

  bool ok() const { return code == Code::ok; }
  static Status error(Code code, std::string message) { return Status{code, std::move(message), 0, 0}; }
  /// memory.insufficient: `what` needs more bytes than there are.
  static Status out_of_memory(const std::string& what, std::uint64_t needed, std::uint64_t available) {
    const auto megabytes = [](std::uint64_t bytes) { return std::to_string((bytes + 999999) / 1000000) + " MB"; };
    return Status{Code::memory_insufficient, what + " needs " + megabytes(needed) + ", " + megabytes(available) + " are free",
                  needed, available};
  }
};

/// A value or the Status that says why there is none.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}                // NOLINT: implicit on purpose
  Result(Status status) : status_(std::move(status)) {}        // NOLINT: implicit on purpose

  bool ok() const { return value_.has_value(); }
  const Status& status() const { return status_; }
  T& value() { return *value_; }
  const T& value() const { return *value_; }
  T take() { return std::move(*value_); }

 private:
  Status status_;
  std::optional<T> value_;
};

// Returns the Status of `expression` from the caller unless it is ok.
#define NAMESAKE_TRY(expression)                                          \
  do {                                                                    \
    if (::namesake::Status try_status = (expression); !try_status.ok()) { \
      return try_status;                                                  \
    }                                                                     \
  } while (false)

}  // namespace namesake
