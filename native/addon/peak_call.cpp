#include "addon/peak_call.h"

#include <atomic>
#include <memory>
#include <utility>

#include "addon/async_task.h"
#include "namesake/peak.h"

namespace namesake::addon {
namespace {

Status read_question(const Napi::Value& value, PeakQuestion& question) {
  Fields fields(value, "question");
  NAMESAKE_TRY(read_list(fields.object("isas"), "isas", question.isas,
                         [](const Napi::Value& isa, std::string& out) { return read_text(isa, "isa", out); }));
  question.f32_products = fields.flag("f32_products");
  question.memory = fields.flag("memory");
  question.threads = static_cast<int>(fields.integer("threads"));
  question.seconds = fields.number("seconds");
  return fields.status();
}

void set_peak(Napi::Object& object, const Peak& peak) {
  object.Set("one", peak.one);
  object.Set("all", peak.all);
}

Napi::Value report_to_js(Napi::Env env, PeakReport& report) {
  auto object = Napi::Object::New(env);
  object.Set("threads", report.threads);
  auto isas = Napi::Array::New(env);
  for (const IsaPeak& peak : report.isas) {
    auto isa = Napi::Object::New(env);
    isa.Set("isa", peak.isa);
    isa.Set("operands", peak.bf16 ? "bf16" : "f32");
    set_peak(isa, peak.flops);
    isas.Set(isas.Length(), isa);
  }
  object.Set("isas", isas);
  object.Set("memory", env.Null());
  if (report.memory) {
    auto memory = Napi::Object::New(env);
    memory.Set("array_bytes", static_cast<double>(report.memory->array));
    set_peak(memory, report.memory->bytes);
    object.Set("memory", memory);
  }
  return object;
}

}  // namespace

Napi::Value measure_peak_call(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto call = Napi::Object::New(env);
  const auto cancelled = std::make_shared<std::atomic<bool>>(false);
  call.Set("cancel", Napi::Function::New(env, [cancelled](const Napi::CallbackInfo&) { cancelled->store(true); }));
  PeakQuestion question;
  if (Status status = read_question(info[0], question); !status.ok()) {
    call.Set("peak", rejected(env, status));
    return call;
  }
  auto work = [question = std::move(question), cancelled]() { return measure_peak(question, cancelled.get()); };
  call.Set("peak", AsyncTask<PeakReport>::run(env, nullptr, std::move(work), report_to_js));
  return call;
}

}  // namespace namesake::addon
