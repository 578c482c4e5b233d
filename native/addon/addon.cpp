#include "addon/addon.h"

#include <algorithm>

#include "addon/adapter_object.h"
#include "addon/generator_object.h"
#include "addon/gpu_call.h"
#include "addon/memory_call.h"
#include "addon/model_object.h"
#include "addon/peak_call.h"
#include "addon/trainer_object.h"

namespace namesake::addon {

std::shared_ptr<Session> Addon::make_session() {
  sessions.erase(std::remove_if(sessions.begin(), sessions.end(), [](const auto& session) { return session.expired(); }),
                 sessions.end());
  auto session = std::make_shared<Session>();
  sessions.push_back(session);
  return session;
}

void Addon::end() {
  for (const auto& weak : sessions) {
    if (auto session = weak.lock()) (void)session->close();  // never busy here
  }
}

namespace {

// Every level that the CPU backend may have, the widest first. "auto" takes the fastest, which need not be the first that works.
constexpr const char* kLevels[] = {"amxbf16", "avx512bf16", "avx512", "avx2", "neon", "scalar"};

/// isa(): {auto, levels: [{isa, supported, reason}]}: what "auto" takes, and why not the others.
Napi::Value isa(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto object = Napi::Object::New(env);
  auto chosen = make_cpu_backend("auto", 1);
  object.Set("auto", chosen.ok() ? Napi::String::New(env, chosen.value()->isa()) : env.Null());
  auto levels = Napi::Array::New(env);
  for (const char* name : kLevels) {
    auto backend = make_cpu_backend(name, 1);
    auto level = Napi::Object::New(env);
    level.Set("isa", name);
    level.Set("supported", backend.ok());
    level.Set("reason", backend.ok() ? env.Null() : Napi::String::New(env, backend.status().message));
    levels.Set(levels.Length(), level);
  }
  object.Set("levels", levels);
  return object;
}

Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  auto* addon = new Addon();  // the environment deletes it
  env.SetInstanceData(addon);
  addon->model = Napi::Persistent(ModelObject::define(env));
  addon->trainer = Napi::Persistent(TrainerObject::define(env));
  addon->generator = Napi::Persistent(GeneratorObject::define(env));
  addon->adapter = Napi::Persistent(AdapterObject::define(env));
  env.AddCleanupHook([](Addon* ending) { ending->end(); }, addon);
  exports.Set("openModel", Napi::Function::New<&ModelObject::open>(env, "openModel"));
  exports.Set("planMemory", Napi::Function::New<&plan_memory_call>(env, "planMemory"));
  exports.Set("modelShape", Napi::Function::New<&model_shape_call>(env, "modelShape"));
  exports.Set("gpus", Napi::Function::New<&gpus_call>(env, "gpus"));
  exports.Set("measurePeak", Napi::Function::New<&measure_peak_call>(env, "measurePeak"));
  exports.Set("isa", Napi::Function::New<&isa>(env, "isa"));
  return exports;
}

NODE_API_MODULE(namesake, initialise)

}  // namespace
}  // namespace namesake::addon
