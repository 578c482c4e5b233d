#include "addon/generator_object.h"

#include <string>
#include <utility>
#include <vector>

#include "addon/adapter_object.h"
#include "addon/addon.h"
#include "addon/async_task.h"
#include "addon/token_stream.h"

namespace namesake::addon {
namespace {

struct Generated {
  std::vector<GenerateResult> results;
  GenerateTimes times;
};

Status read_asked(const Napi::Value& value, Asked& asked) {
  std::string name;
  NAMESAKE_TRY(read_text(value, "asked", name));
  return read_name(name, {{"alone", Asked::alone}, {"in-conversation", Asked::in_conversation}, {"together", Asked::together}},
                   Status::error(Code::internal, "there is no way of asking called " + name), asked);
}

}  // namespace

Napi::Function GeneratorObject::define(Napi::Env env) {
  return DefineClass(env, kName,
                     {InstanceMethod<&GeneratorObject::run>("run"), close_method()});
}

Napi::Value GeneratorObject::create(Napi::Env env, std::shared_ptr<Session> session, const Napi::Value& slots,
                                    const Napi::Value& adapter_value, const Napi::Value& asked_value) {
  std::shared_ptr<Adapter> adapter;
  if (Status status = session->ready(); !status.ok()) return rejected(env, status);
  if (!slots.IsNumber()) return rejected(env, Status::error(Code::internal, "slots is not a number"));
  Asked asked = Asked::alone;
  if (Status status = read_asked(asked_value, asked); !status.ok()) return rejected(env, status);
  if (Status status = AdapterObject::read(adapter_value, *session, adapter); !status.ok()) return rejected(env, status);
  const std::int64_t count = slots.As<Napi::Number>().Int64Value();
  auto work = [model = session->shared_model(), adapter, count, asked]() -> Result<std::shared_ptr<Generator>> {
    auto generator = Generator::create(model, adapter, count, asked);
    if (!generator.ok()) return generator.status();
    return std::shared_ptr<Generator>(generator.take());
  };
  auto finish = [session](Napi::Env env, std::shared_ptr<Generator>& generator) -> Napi::Value {
    return Handle::make(env, Addon::of(env).generator, session, generator);
  };
  return AsyncTask<std::shared_ptr<Generator>>::run(env, session, work, finish);
}

/// run(requests, on_token): answers all requests; on_token(index, token) as they come.
Napi::Value GeneratorObject::run(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  std::vector<GenerateRequest> requests;
  if (Status status = ready(); !status.ok()) return rejected(env, status);
  if (Status status = read_list(info[0], "requests", requests, read_request); !status.ok()) return rejected(env, status);
  if (!info[1].IsFunction()) return rejected(env, Status::error(Code::internal, "on_token is not a function"));
  session()->trim();  // keys and values of all slots need about as much as a trainer's activations
  auto stream = TokenStream::create(env, info[1].As<Napi::Function>());
  auto work = [generator = native(), stream, flag = session()->cancel_flag(),
               requests = std::move(requests)]() -> Result<Generated> {
    auto results = generator->run(
        requests, [&stream](std::size_t request, std::int32_t token) { stream->push(request, token); }, flag);
    if (!results.ok()) return results.status();
    return Generated{results.take(), generator->times()};
  };
  auto finish = [stream](Napi::Env env, Generated& generated) -> Napi::Value {
    stream->drain(env);
    if (env.IsExceptionPending()) return env.Undefined();
    auto object = Napi::Object::New(env);
    object.Set("results", to_js_list(env, generated.results));
    object.Set("times", to_js(env, generated.times));
    return object;
  };
  return AsyncTask<Generated>::run(env, session(), std::move(work), finish);
}

}  // namespace namesake::addon
