#include "addon/gpu_call.h"

#include "addon/async_task.h"
#include "namesake/gpu.h"

namespace namesake::addon {
namespace {

/// "12.8" of 128 tenths.
std::string tenths(int number) { return std::to_string(number / 10) + "." + std::to_string(number % 10); }

/// "8.6"
std::string capability(int major, int minor) { return tenths(major * 10 + minor); }

/// "12.8" of 12080.
std::string driver(int version) { return tenths(version / 1000 * 10 + version % 1000 / 10); }

Napi::Value card_to_js(Napi::Env env, const GpuCard& card) {
  auto object = Napi::Object::New(env);
  object.Set("ordinal", card.ordinal);
  object.Set("name", card.name);
  object.Set("compute_capability", capability(card.major, card.minor));
  object.Set("total_memory_bytes", static_cast<double>(card.total_memory));
  object.Set("free_memory_bytes", card.free_memory ? Napi::Number::New(env, static_cast<double>(*card.free_memory)) : env.Null());
  object.Set("multiprocessors", card.multiprocessors);
  object.Set("clock_khz", card.clock_khz);
  object.Set("integrated", card.integrated);
  object.Set("wddm", card.wddm);
  object.Set("problem", problem_to_js(env, card.problem));
  return object;
}

Napi::Value report_to_js(Napi::Env env, GpuReport& report) {
  auto object = Napi::Object::New(env);
  object.Set("driver", report.driver_version > 0 ? Napi::String::New(env, driver(report.driver_version)) : env.Null());
  auto cards = Napi::Array::New(env);
  for (const GpuCard& card : report.cards) cards.Set(cards.Length(), card_to_js(env, card));
  object.Set("cards", cards);
  object.Set("chosen", report.chosen ? Napi::Number::New(env, *report.chosen) : env.Null());
  object.Set("problem", problem_to_js(env, report.problem));
  return object;
}

}  // namespace

Napi::Value problem_to_js(Napi::Env env, const Status& status) {
  if (status.ok()) return env.Null();
  auto object = Napi::Object::New(env);
  object.Set("code", code_name(status.code));
  object.Set("detail", status.message);
  return object;
}

Napi::Value used_card_to_js(Napi::Env env, const std::optional<UsedCard>& card) {
  if (!card) return env.Null();
  auto object = Napi::Object::New(env);
  object.Set("ordinal", card->ordinal);
  object.Set("name", card->name);
  object.Set("compute_capability", capability(card->major, card->minor));
  object.Set("driver", driver(card->driver_version));
  return object;
}

Napi::Value gpus_call(const Napi::CallbackInfo& info) {
  return AsyncTask<GpuReport>::run(info.Env(), nullptr, []() -> Result<GpuReport> { return examine_gpus(); }, report_to_js);
}

}  // namespace namesake::addon
