// GeneratorObject: batched decoding with a KV cache. Surface: Generator in main/engine/native.d.ts.
#pragma once

#include <memory>

#include "addon/handle.h"

namespace namesake::addon {

class GeneratorObject final : public Handle<GeneratorObject, Generator> {
 public:
  static constexpr const char* kName = "Generator";
  using Handle::Handle;

  static Napi::Function define(Napi::Env env);

  /// model.createGenerator(slots, adapter | null, asked): the promise of a Generator.
  static Napi::Value create(Napi::Env env, std::shared_ptr<Session> session, const Napi::Value& slots,
                            const Napi::Value& adapter, const Napi::Value& asked);

 private:
  Napi::Value run(const Napi::CallbackInfo& info);
};

}  // namespace namesake::addon
