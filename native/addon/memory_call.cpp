#include "addon/memory_call.h"

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "addon/async_task.h"
#include "addon/compute_options.h"
#include "addon/gpu_call.h"
#include "namesake/memory.h"

namespace namesake::addon {
namespace {

/// The cards that plans are made for, shared by all questions that are asked at the same time: looking for one and a place on it cost
/// time and its memory, and a list of models asks once for each.
struct CardSeat {
  std::mutex mutex;  ///< a backend takes one thread at a time
  std::map<std::string, Result<std::shared_ptr<Backend>>> backends;  ///< by the device that was asked for, once it was looked for
};

std::shared_ptr<CardSeat> share_seat() {
  static std::mutex mutex;
  static std::weak_ptr<CardSeat> taken;
  const std::lock_guard lock(mutex);
  auto seat = taken.lock();
  if (!seat) taken = seat = std::make_shared<CardSeat>();
  return seat;
}

struct Question {
  std::shared_ptr<CardSeat> seat = share_seat();
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
  if (!fields.is_null("layers")) memory.layers = fields.integer("layers");
  memory.batch_tokens = fields.integer("batch_tokens");
  if (!fields.is_null("packed_tokens")) memory.packed_tokens = fields.integer("packed_tokens");
  if (!fields.is_null("recompute")) memory.recompute = fields.flag("recompute");
  memory.state_bits = static_cast<int>(fields.integer("state_bits"));
  memory.activation_bits = static_cast<int>(fields.integer("activation_bits"));
  memory.slots = fields.integer("slots");
  memory.answer_tokens = fields.integer("answer_tokens");
  memory.score_tokens = fields.integer("score_tokens");
  memory.process = static_cast<std::uint64_t>(fields.integer("process"));
  return fields.status();
}

/// A plan, what computes by it, and what was found out about a card on the way.
struct Placed {
  std::string device;
  MemoryPlan plan;
  std::optional<UsedCard> card;                ///< the card that was looked at
  std::uint64_t card_needs = 0, card_free = 0;  ///< there, in bytes
  Status no_card;                              ///< why auto is the processor; else ok
};

Result<MemoryPlan> plan_on(const Backend& backend, const Question& question) {
  Precision precision = Precision::as_stored;
  NAMESAKE_TRY(read_precision(question.compute.precision, precision));
  const bool in_file = backend.reads_host_memory();
  const auto shape = question.path.empty() ? shape_of_config(question.config, question.file_bytes, precision, in_file)
                                           : shape_of_file(question.path, precision, in_file);
  if (!shape.ok()) return shape.status();
  return plan_memory(shape.value(), backend, question.memory);
}

/// The plan of a card by its name; of auto, only where its card works and has room for it: `placed.device` stays empty otherwise.
Status place_on_card(const Question& question, Placed& placed) {
  const bool by_name = question.compute.device != "auto";
  ComputeOptions compute = question.compute;
  if (!by_name) compute.device = "cuda";
  const std::lock_guard lock(question.seat->mutex);
  auto& backends = question.seat->backends;
  auto found = backends.find(compute.device);
  if (found == backends.end()) found = backends.emplace(compute.device, make_backend(compute)).first;
  const auto& made = found->second;
  if (!made.ok()) {
    if (by_name) return made.status();
    placed.no_card = made.status();
    return {};
  }
  const Backend& backend = *made.value();
  auto plan = plan_on(backend, question);
  if (!plan.ok()) return plan.status();
  placed.plan = plan.take();
  placed.card = backend.card();
  placed.card_needs = placed.plan.total;
  placed.card_free = placed.plan.available;
  if (by_name || placed.card_needs <= placed.card_free) {
    placed.device = compute.device;
  } else {
    placed.no_card = Status::out_of_memory(placed.card->name + ": this", placed.card_needs, placed.card_free);
    placed.no_card.code = Code::gpu_memory_insufficient;
  }
  return {};
}

Result<Placed> answer(const Question& question) {
  Placed placed;
  ComputeOptions compute = question.compute;
  if (compute.device == "auto" || is_card(compute.device)) {
    NAMESAKE_TRY(place_on_card(question, placed));
    if (!placed.device.empty()) return placed;
    compute.device = "cpu";
  }
  const auto backend = make_backend(compute);
  if (!backend.ok()) return backend.status();
  auto plan = plan_on(*backend.value(), question);
  if (!plan.ok()) return plan.status();
  placed.plan = plan.take();
  placed.device = compute.device;
  return placed;
}

Napi::Value card_plan_to_js(Napi::Env env, const Placed& placed) {
  const Napi::Value value = used_card_to_js(env, placed.card);
  if (!placed.card) return value;
  auto card = value.As<Napi::Object>();
  card.Set("needs", static_cast<double>(placed.card_needs));
  card.Set("free", static_cast<double>(placed.card_free));
  return card;
}

Napi::Value placed_to_js(Napi::Env env, Placed& placed) {
  const MemoryPlan& plan = placed.plan;
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
  object.Set("device", placed.device);
  object.Set("card", card_plan_to_js(env, placed));
  object.Set("no_card", problem_to_js(env, placed.no_card));
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
  return AsyncTask<Placed>::run(info.Env(), nullptr, std::move(work), placed_to_js);
}

}  // namespace namesake::addon
