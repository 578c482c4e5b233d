#include "addon/trainer_object.h"

#include <string>
#include <utility>
#include <vector>

#include "addon/adapter_object.h"
#include "addon/addon.h"
#include "addon/async_task.h"

namespace namesake::addon {
namespace {

struct Options {
  std::int64_t rank = 0;
  std::int64_t layers = 0;  // 0: all
  float alpha = 0;
  std::uint64_t seed = 0;
  std::string init_adapter;  // empty: a fresh adapter
  TrainerOptions trainer;
};

Status read_options(const Napi::Value& value, Options& options) {
  Fields fields(value, "options");
  options.rank = fields.integer("rank");
  if (!fields.is_null("layers")) options.layers = fields.integer("layers");
  options.alpha = static_cast<float>(fields.number("alpha"));
  options.seed = static_cast<std::uint64_t>(fields.integer("seed"));
  if (!fields.is_null("init_adapter")) options.init_adapter = fields.text("init_adapter");
  options.trainer.lr = static_cast<float>(fields.number("lr"));
  options.trainer.beta1 = static_cast<float>(fields.number("beta1"));
  options.trainer.beta2 = static_cast<float>(fields.number("beta2"));
  options.trainer.eps = static_cast<float>(fields.number("eps"));
  options.trainer.weight_decay = static_cast<float>(fields.number("weight_decay"));
  options.trainer.loraplus_lr_ratio = static_cast<float>(fields.number("loraplus_lr_ratio"));
  options.trainer.state_bits = static_cast<int>(fields.integer("state_bits"));
  options.trainer.activation_bits = static_cast<int>(fields.integer("activation_bits"));
  options.trainer.clip = static_cast<float>(fields.number("clip"));
  options.trainer.warmup_steps = fields.integer("warmup_steps");
  options.trainer.steps = fields.integer("steps");
  options.trainer.batch_tokens = fields.integer("batch_tokens");
  if (!fields.is_null("packed_tokens")) options.trainer.packed_tokens = fields.integer("packed_tokens");
  if (!fields.is_null("recompute")) options.trainer.recompute = fields.flag("recompute");
  const std::string schedule = fields.text("schedule");
  NAMESAKE_TRY(fields.status());
  return read_name(schedule, {{"linear", Schedule::linear}, {"cosine", Schedule::cosine}, {"constant", Schedule::constant}},
                   Status::error(Code::internal, "unknown schedule " + schedule), options.trainer.schedule);
}

/// All memory first, then what lives in it.
Result<std::shared_ptr<Training>> make_training(const std::shared_ptr<Model>& model, Options options) {
  LoraShape lora = lora_shape(model->config(), options.rank, options.layers);
  if (!options.init_adapter.empty()) {
    const auto shape = Adapter::shape_in(model->config(), options.init_adapter);
    if (!shape.ok()) return shape.status();
    lora = shape.value();
  }
  const auto arena = reserve_training(*model, lora, options.trainer);
  if (!arena.ok()) return arena.status();
  auto adapter = options.init_adapter.empty()
                     ? Adapter::create(*model, lora, options.alpha, options.seed, true, arena.value(), options.trainer.state_bits)
                     : Adapter::load(*model, options.init_adapter, true, arena.value(), options.trainer.state_bits);
  if (!adapter.ok()) return adapter.status();
  auto trainer = Trainer::create(model, adapter.value(), options.trainer, arena.value());
  if (!trainer.ok()) return trainer.status();
  return std::make_shared<Training>(Training{adapter.take(), trainer.take(), options.trainer.recompute.value_or(false)});
}

}  // namespace

Napi::Function TrainerObject::define(Napi::Env env) {
  return DefineClass(env, kName,
                     {InstanceMethod<&TrainerObject::step>("step"), InstanceMethod<&TrainerObject::save>("save"),
                      InstanceMethod<&TrainerObject::load>("load"), close_method()});
}

Napi::Value TrainerObject::create(Napi::Env env, std::shared_ptr<Session> session, const Napi::Value& value) {
  Options options;
  if (Status status = session->ready(); !status.ok()) return rejected(env, status);
  if (Status status = read_options(value, options); !status.ok()) return rejected(env, status);
  auto work = [model = session->shared_model(), options]() { return make_training(model, options); };
  auto finish = [session](Napi::Env env, std::shared_ptr<Training>& training) -> Napi::Value {
    Napi::Object object = Handle::make(env, Addon::of(env).trainer, session, training);
    object.Set("recompute", training->recompute);
    object.Set("adapter", AdapterObject::make(env, session, training->adapter));
    return object;
  };
  return AsyncTask<std::shared_ptr<Training>>::run(env, session, work, finish);
}

/// step(batches): one optimizer step over the micro-batches.
Napi::Value TrainerObject::step(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  std::vector<Batch> batches;
  if (Status status = ready(); !status.ok()) return rejected(env, status);
  if (Status status = read_list(info[0], "batches", batches, read_batch); !status.ok()) return rejected(env, status);
  auto work = [training = native(), flag = session()->cancel_flag(), batches = std::move(batches)]() {
    training->trainer->set_cancel(flag);
    auto result = training->trainer->step(batches);
    training->trainer->set_cancel(nullptr);
    return result;
  };
  auto finish = [](Napi::Env env, StepResult& step) -> Napi::Value { return to_js(env, step); };
  return AsyncTask<StepResult>::run(env, session(), std::move(work), finish);
}

/// save(folder, base_model): writes a checkpoint.
Napi::Value TrainerObject::save(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  std::string folder, base_model;
  if (Status status = ready(); !status.ok()) return rejected(env, status);
  if (Status status = read_text(info[0], "folder", folder); !status.ok()) return rejected(env, status);
  if (Status status = read_text(info[1], "base_model", base_model); !status.ok()) return rejected(env, status);
  session()->trim();  // what is written is copied first
  auto work = [training = native(), folder, base_model]() -> Result<Nothing> {
    NAMESAKE_TRY(training->trainer->save_checkpoint(folder, base_model));
    return Nothing{};
  };
  return AsyncTask<Nothing>::run(env, session(), work, finish_nothing);
}

/// load(folder): goes on from a checkpoint.
Napi::Value TrainerObject::load(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  std::string folder;
  if (Status status = ready(); !status.ok()) return rejected(env, status);
  if (Status status = read_text(info[0], "folder", folder); !status.ok()) return rejected(env, status);
  session()->trim();
  auto work = [training = native(), folder]() -> Result<std::int64_t> {
    NAMESAKE_TRY(training->trainer->load_checkpoint(folder));
    return training->trainer->step_count();
  };
  auto finish = [](Napi::Env env, std::int64_t& steps) -> Napi::Value {
    return Napi::Number::New(env, static_cast<double>(steps));
  };
  return AsyncTask<std::int64_t>::run(env, session(), work, finish);
}

}  // namespace namesake::addon
