// AdapterObject: a LoRA adapter that answers are given with. Surface: Adapter in main/engine/native.d.ts.
#pragma once

#include <memory>

#include "addon/handle.h"

namespace namesake::addon {

class AdapterObject final : public Handle<AdapterObject, Adapter> {
 public:
  static constexpr const char* kName = "Adapter";
  using Handle::Handle;

  static Napi::Function define(Napi::Env env);

  /// The object for `adapter`, with its `rank`, `alpha` and `parameters`.
  static Napi::Object make(Napi::Env env, std::shared_ptr<Session> session, std::shared_ptr<Adapter> adapter);

  /// The adapter of an argument: null gives none. engine.closed for a closed one, internal for one of another model.
  static Status read(const Napi::Value& value, const Session& session, std::shared_ptr<Adapter>& adapter);
};

/// Values that training changes.
std::int64_t parameter_count(Adapter& adapter);

}  // namespace namesake::addon
