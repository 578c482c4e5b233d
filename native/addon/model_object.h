// ModelObject: an open model. Surface: Model in main/engine/native.d.ts.
#pragma once

#include <memory>

#include "addon/convert.h"
#include "addon/session.h"

namespace namesake::addon {

class ModelObject final : public Napi::ObjectWrap<ModelObject> {
 public:
  explicit ModelObject(const Napi::CallbackInfo& info);

  static Napi::Function define(Napi::Env env);

  /// openModel(path, {precision, device, isa, threads, cache}): the promise of {model, info, tokenizer}.
  static Napi::Value open(const Napi::CallbackInfo& info);

 private:
  Napi::Value create_trainer(const Napi::CallbackInfo& info);
  Napi::Value create_generator(const Napi::CallbackInfo& info);
  Napi::Value load_adapter(const Napi::CallbackInfo& info);
  Napi::Value score(const Napi::CallbackInfo& info);
  Napi::Value logits(const Napi::CallbackInfo& info);
  void cancel(const Napi::CallbackInfo& info);
  void close(const Napi::CallbackInfo& info);

  std::shared_ptr<Session> session_;
};

}  // namespace namesake::addon
