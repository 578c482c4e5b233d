#include "addon/memory_call.h"

#include <optional>
#include <string>
#include <utility>

#include "addon/async_task.h"
#include "addon/compute_options.h"
#include "namesake/memory.h"

namespace namesake::addon {
namespace {

struct Question {
  std::string path;  ///< empty: the shape
  Config config;
  std::uint64_t file_bytes = 0;
  ComputeOptions compute;
  MemoryOptions memory;
};

/// The family and its options where the shape states them; otherwise what follows from the architecture.
Status read_family(Fields& fields, Config& config) {
  const std::string name = fields.is_null("family") ? config.architecture : fields.text("family");
  const std::optional<Family> family = family_of(name);
  if (!family) return Status::error(Code::model_unknown_architecture, "architecture \"" + name + "\" is not supported");
  set_family(config, *family);
  if (!fields.is_null("qkv_bias")) config.qkv_bias = fields.flag("qkv_bias");
  if (!fields.is_null("qk_norm")) config.qk_norm = fields.flag("qk_norm");
  if (!fields.is_null("fused_qkv")) config.fused_qkv = fields.flag("fused_qkv");
  return fields.status();
}

Status read_source(const Napi::Value& value, Question& question) {
  if (value.IsString()) return read_text(value, "model", question.path);
  Fields fields(value, "model");
  Config& config = question.config;
  config.architecture = fields.text("architecture");
  config.hidden = fields.integer("hidden");
  config.layers = fields.integer("layers");
  config.heads = fields.integer("heads");
  config.kv_heads = fields.integer("kv_heads");
  config.head_dim = fields.integer("head_dim");
  config.ffn = fields.integer("ffn");
  config.vocab = fields.integer("vocab");
  config.context = fields.integer("context");
  config.tied = fields.flag("tied");
  NAMESAKE_TRY(read_family(fields, config));
  question.file_bytes = static_cast<std::uint64_t>(fields.integer("file_bytes"));
  return fields.status();
}

Status read_question(const Napi::CallbackInfo& info, Question& question) {
  NAMESAKE_TRY(read_source(info[0], question));
  Fields fields(info[1], "options");
  question.compute = read_compute_options(fields);
  MemoryOptions& memory = question.memory;
  memory.rank = fields.integer("rank");
  memory.batch_tokens = fields.integer("batch_tokens");
  if (!fields.is_null("packed_tokens")) memory.packed_tokens = fields.integer("packed_tokens");
  if (!fields.is_null("recompute")) memory.recompute = fields.flag("recompute");
  memory.state_bits = static_cast<int>(fields.integer("state_bits"));
  memory.slots = fields.integer("slots");
  memory.answer_tokens = fields.integer("answer_tokens");
  memory.score_tokens = fields.integer("score_tokens");
  memory.process = static_cast<std::uint64_t>(fields.integer("process"));
  return fields.status();
}

Result<MemoryPlan> answer(const Question& question) {
  Precision precision = Precision::as_stored;
  NAMESAKE_TRY(read_precision(question.compute.precision, precision));
  const auto backend = make_backend(question.compute);
  if (!backend.ok()) return backend.status();
  const bool in_file = backend.value()->reads_host_memory();
  const auto shape = question.path.empty() ? shape_of_config(question.config, question.file_bytes, precision, in_file)
                                           : shape_of_file(question.path, precision, in_file);
  if (!shape.ok()) return shape.status();
  return plan_memory(shape.value(), *backend.value(), question.memory);
}

Napi::Value plan_to_js(Napi::Env env, MemoryPlan& plan) {
  auto object = Napi::Object::New(env);
  const auto set = [&object](const char* key, std::uint64_t bytes) { object.Set(key, static_cast<double>(bytes)); };
  set("weights_mapped", plan.weights_mapped);
  set("weights_resident", plan.weights_resident);
  set("adapter", plan.training.adapter);
  set("gradients", plan.training.gradients);
  set("optimizer", plan.training.optimizer);
  set("activations", plan.training.activations);
  set("scratch", plan.training.scratch);
  set("between_steps", plan.between_steps);
  set("process", plan.process);
  set("total", plan.total);
  set("available", plan.available);
  set("host", plan.host);
  set("host_available", plan.host_available);
  object.Set("fits", plan.fits);
  object.Set("recompute", plan.training.recompute);
  return object;
}

Napi::Value shape_to_js(Napi::Env env, ModelShape& shape) {
  auto object = Napi::Object::New(env);
  set_config(object, shape.config);
  object.Set("file_bytes", static_cast<double>(shape.file_bytes));
  return object;
}

}  // namespace

Napi::Value model_shape_call(const Napi::CallbackInfo& info) {
  std::string path;
  if (Status status = read_text(info[0], "path", path); !status.ok()) return rejected(info.Env(), status);
  auto work = [path]() { return shape_of_file(path, Precision::as_stored); };
  return AsyncTask<ModelShape>::run(info.Env(), nullptr, work, shape_to_js);
}

Napi::Value plan_memory_call(const Napi::CallbackInfo& info) {
  Question question;
  if (Status status = read_question(info, question); !status.ok()) return rejected(info.Env(), status);
  auto work = [question = std::move(question)]() { return answer(question); };
  return AsyncTask<MemoryPlan>::run(info.Env(), nullptr, std::move(work), plan_to_js);
}

}  // namespace namesake::addon
