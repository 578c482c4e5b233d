#include "addon/model_object.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "addon/adapter_object.h"
#include "addon/addon.h"
#include "addon/async_task.h"
#include "addon/compute_options.h"
#include "addon/generator_object.h"
#include "addon/gpu_call.h"
#include "addon/model_facts.h"
#include "addon/trainer_object.h"
#include "namesake/cancel_scope.h"

namespace namesake::addon {
namespace {

struct OpenOptions {
  std::string path, cache;
  ComputeOptions compute;
};

/// What the opening job hands over.
struct Opened {
  std::shared_ptr<Model> model;
  ModelFacts facts;
};

Status read_options(const Napi::CallbackInfo& info, OpenOptions& options) {
  NAMESAKE_TRY(read_text(info[0], "path", options.path));
  Fields fields(info[1], "options");
  options.compute = read_compute_options(fields);
  if (!fields.is_null("cache")) options.cache = fields.text("cache");
  return fields.status();
}

Result<Opened> open_model(const OpenOptions& options) {
  Precision precision = Precision::as_stored;
  NAMESAKE_TRY(read_precision(options.compute.precision, precision));
  auto backend = make_backend(options.compute);
  if (!backend.ok()) return backend.status();
  // The file's own faults are told before those of its tensors.
  auto facts = read_model_facts(options.path);
  if (!facts.ok()) return facts.status();
  auto model = Model::open(options.path, precision, backend.take(), options.cache);
  if (!model.ok()) return model.status();
  return Opened{model.take(), facts.take()};
}

Napi::Object info_to_js(Napi::Env env, const Model& model, const ModelFacts& facts) {
  auto object = Napi::Object::New(env);
  const auto set = [&object](const char* key, std::int64_t value) { object.Set(key, static_cast<double>(value)); };
  set_config(object, model.config());
  set("parameters", facts.parameters);
  auto blocks = Napi::Object::New(env);
  for (const auto& [name, count] : facts.blocks) blocks.Set(name, static_cast<double>(count));
  object.Set("blocks", blocks);
  object.Set("size_bytes", static_cast<double>(facts.size_bytes));
  object.Set("backend", model.backend().name());
  object.Set("isa", model.backend().isa());
  set("threads", model.backend().threads());
  object.Set("card", used_card_to_js(env, model.backend().card()));
  return object;
}

Napi::Array texts_to_js(Napi::Env env, const std::vector<std::string>& texts) {
  auto array = Napi::Array::New(env, texts.size());
  for (std::uint32_t i = 0; i < texts.size(); ++i) {
    Napi::HandleScope scope(env);  // hundreds of thousands of texts
    array.Set(i, Napi::String::New(env, texts[i]));
  }
  return array;
}

Napi::Object tokenizer_to_js(Napi::Env env, const TokenizerFacts& facts) {
  auto object = Napi::Object::New(env);
  const auto set_id = [&](const char* key, const std::optional<std::uint64_t>& id) {
    object.Set(key, id ? Napi::Number::New(env, static_cast<double>(*id)) : env.Null());
  };
  const auto set_flag = [&](const char* key, const std::optional<bool>& flag) {
    object.Set(key, flag ? Napi::Boolean::New(env, *flag) : env.Null());
  };
  object.Set("model", facts.model);
  object.Set("pre", facts.pre);
  object.Set("tokens", texts_to_js(env, facts.tokens));
  object.Set("merges", texts_to_js(env, facts.merges));
  auto scores = Napi::Float64Array::New(env, facts.scores.size());
  std::copy(facts.scores.begin(), facts.scores.end(), scores.Data());
  object.Set("scores", scores);
  auto types = Napi::Array::New(env, facts.token_types.size());
  for (std::uint32_t i = 0; i < facts.token_types.size(); ++i) {
    Napi::HandleScope scope(env);
    types.Set(i, Napi::Number::New(env, facts.token_types[i]));
  }
  object.Set("token_types", types);
  set_id("bos_id", facts.bos_id);
  set_id("eos_id", facts.eos_id);
  set_id("eot_id", facts.eot_id);
  set_id("eom_id", facts.eom_id);
  set_id("unk_id", facts.unk_id);
  set_id("pad_id", facts.pad_id);
  set_flag("add_bos", facts.add_bos);
  set_flag("add_space_prefix", facts.add_space_prefix);
  object.Set("chat_template", facts.chat_template ? Napi::String::New(env, *facts.chat_template) : env.Null());
  return object;
}

}  // namespace

ModelObject::ModelObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<ModelObject>(info) {
  if (!info[0].IsExternal()) {
    Napi::TypeError::New(info.Env(), "Model is made by openModel").ThrowAsJavaScriptException();
    return;
  }
  session_ = *info[0].As<Napi::External<std::shared_ptr<Session>>>().Data();
}

Napi::Function ModelObject::define(Napi::Env env) {
  return DefineClass(env, "Model",
                     {InstanceMethod<&ModelObject::create_trainer>("createTrainer"),
                      InstanceMethod<&ModelObject::create_generator>("createGenerator"),
                      InstanceMethod<&ModelObject::load_adapter>("loadAdapter"),
                      InstanceMethod<&ModelObject::score>("score"), InstanceMethod<&ModelObject::logits>("logits"),
                      InstanceMethod<&ModelObject::cancel>("cancel"), InstanceMethod<&ModelObject::close>("close")});
}

Napi::Value ModelObject::open(const Napi::CallbackInfo& info) {
  OpenOptions options;
  if (Status status = read_options(info, options); !status.ok()) return rejected(info.Env(), status);
  auto work = [options]() { return open_model(options); };
  auto finish = [](Napi::Env env, Opened& opened) -> Napi::Value {
    auto result = Napi::Object::New(env);
    result.Set("info", info_to_js(env, *opened.model, opened.facts));
    const auto& tokenizer = opened.facts.tokenizer;
    result.Set("tokenizer", tokenizer ? tokenizer_to_js(env, *tokenizer) : env.Null());
    auto session = Addon::of(env).make_session();
    session->open(std::move(opened.model));
    result.Set("model", Addon::of(env).model.New({Napi::External<std::shared_ptr<Session>>::New(env, &session)}));
    return result;
  };
  return AsyncTask<Opened>::run(info.Env(), nullptr, work, finish);
}

/// createTrainer(options)
Napi::Value ModelObject::create_trainer(const Napi::CallbackInfo& info) {
  return TrainerObject::create(info.Env(), session_, info[0]);
}

/// createGenerator(slots, adapter | null, asked)
Napi::Value ModelObject::create_generator(const Napi::CallbackInfo& info) {
  return GeneratorObject::create(info.Env(), session_, info[0], info[1], info[2]);
}

/// loadAdapter(folder): an adapter that is only used, from a PEFT folder.
Napi::Value ModelObject::load_adapter(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  std::string folder;
  if (Status status = session_->ready(); !status.ok()) return rejected(env, status);
  if (Status status = read_text(info[0], "folder", folder); !status.ok()) return rejected(env, status);
  session_->trim();
  auto work = [model = session_->shared_model(), folder]() { return Adapter::load(*model, folder, false); };
  auto finish = [session = session_](Napi::Env env, std::shared_ptr<Adapter>& adapter) -> Napi::Value {
    return AdapterObject::make(env, session, std::move(adapter));
  };
  return AsyncTask<std::shared_ptr<Adapter>>::run(env, session_, work, finish);
}

/// score(batches, adapter | null)
Napi::Value ModelObject::score(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  std::vector<Batch> batches;
  std::shared_ptr<Adapter> adapter;
  if (Status status = session_->ready(); !status.ok()) return rejected(env, status);
  if (Status status = read_list(info[0], "batches", batches, read_batch); !status.ok()) return rejected(env, status);
  if (Status status = AdapterObject::read(info[1], *session_, adapter); !status.ok()) return rejected(env, status);
  session_->trim();
  auto work = [session = session_, adapter, batches = std::move(batches)]() -> Result<std::vector<ScoreResult>> {
    const CancelScope scope(session->model().backend(), session->cancel_flag());
    std::vector<ScoreResult> results;
    for (const Batch& batch : batches) {
      if (*session->cancel_flag()) return Status::error(Code::cancelled, "scoring was cancelled");
      auto result = namesake::score(session->model(), adapter.get(), batch);
      if (!result.ok()) return result.status();
      results.push_back(result.take());
    }
    return results;
  };
  auto finish = [](Napi::Env env, std::vector<ScoreResult>& results) -> Napi::Value { return to_js_list(env, results); };
  return AsyncTask<std::vector<ScoreResult>>::run(env, session_, std::move(work), finish);
}

/// logits(ids, adapter | null): a Float32Array [T, vocab].
Napi::Value ModelObject::logits(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  std::vector<std::int32_t> ids;
  std::shared_ptr<Adapter> adapter;
  if (Status status = session_->ready(); !status.ok()) return rejected(env, status);
  if (Status status = read_ids(info[0], ids); !status.ok()) return rejected(env, status);
  if (Status status = AdapterObject::read(info[1], *session_, adapter); !status.ok()) return rejected(env, status);
  session_->trim();
  auto work = [session = session_, adapter, ids = std::move(ids)]() {
    const CancelScope scope(session->model().backend(), session->cancel_flag());
    return namesake::logits(session->model(), adapter.get(), ids);
  };
  auto finish = [](Napi::Env env, std::vector<float>& values) -> Napi::Value { return to_js(env, values); };
  return AsyncTask<std::vector<float>>::run(env, session_, std::move(work), finish);
}

/// cancel(): the running job ends soon with `cancelled`.
void ModelObject::cancel(const Napi::CallbackInfo&) { session_->cancel(); }

/// close(): frees the model and everything made from it. Idempotent; throws engine.busy while a job runs.
void ModelObject::close(const Napi::CallbackInfo& info) {
  if (Status status = session_->close(); !status.ok()) throw_status(info.Env(), status);
}

}  // namespace namesake::addon
