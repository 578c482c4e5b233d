// TrainerObject: a trainer and the adapter that it trains. Surface: Trainer in main/engine/native.d.ts.
#pragma once

#include <memory>

#include "addon/handle.h"

namespace namesake::addon {

/// What a TrainerObject holds.
struct Training {
  std::shared_ptr<Adapter> adapter;
  std::unique_ptr<Trainer> trainer;
  bool recompute = false;
};

class TrainerObject final : public Handle<TrainerObject, Training> {
 public:
  static constexpr const char* kName = "Trainer";
  using Handle::Handle;

  static Napi::Function define(Napi::Env env);

  /// model.createTrainer(options): the promise of a Trainer with its `adapter`.
  static Napi::Value create(Napi::Env env, std::shared_ptr<Session> session, const Napi::Value& options);

  void trim() override {
    if (native()) native()->trainer->release_activations();
  }

 private:
  Napi::Value step(const Napi::CallbackInfo& info);
  Napi::Value save(const Napi::CallbackInfo& info);
  Napi::Value load(const Napi::CallbackInfo& info);
};

}  // namespace namesake::addon
