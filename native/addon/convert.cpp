#include "addon/convert.h"

#include <cmath>
#include <cstring>

namespace namesake::addon {
namespace {

// Numbers of JavaScript are doubles: integers are exact up to here.
constexpr double kMaxSafeInteger = 9007199254740991.0;

template <class T>
std::vector<T> copied(const Napi::Value& value) {
  auto array = value.As<Napi::TypedArrayOf<T>>();
  // An empty array has no address that could be copied from.
  if (array.ElementLength() == 0) return {};
  return std::vector<T>(array.Data(), array.Data() + array.ElementLength());
}

bool is_typed(const Napi::Value& value, napi_typedarray_type type) {
  return value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == type;
}

const char* reason_name(StopReason reason) {
  switch (reason) {
    case StopReason::stop: return "stop";
    case StopReason::length: return "length";
    case StopReason::cancelled: return "cancelled";
  }
  return "cancelled";
}

Napi::Value ids_to_js(Napi::Env env, const std::vector<std::int32_t>& ids) {
  auto array = Napi::Int32Array::New(env, ids.size());
  if (!ids.empty()) std::memcpy(array.Data(), ids.data(), ids.size() * sizeof(std::int32_t));
  return array;
}

}  // namespace

bool can_run_javascript(Napi::Env env) {
  // There is no question for it: the cheapest call that needs a living environment is tried.
  Napi::HandleScope scope(env);
  napi_value object = nullptr;
  return napi_create_object(env, &object) == napi_ok && napi_set_named_property(env, object, "alive", object) == napi_ok;
}

Napi::Value error_value(Napi::Env env, const Status& status) {
  const std::string code = code_name(status.code);
  Napi::Error error = Napi::Error::New(env, code + ": " + status.message);
  error.Set("code", Napi::String::New(env, code));
  error.Set("detail", Napi::String::New(env, status.message));
  if (status.needed > 0) {
    error.Set("needed", Napi::Number::New(env, static_cast<double>(status.needed)));
    error.Set("available", Napi::Number::New(env, static_cast<double>(status.available)));
  }
  return error.Value();
}

void throw_status(Napi::Env env, const Status& status) {
  Napi::Error(env, error_value(env, status)).ThrowAsJavaScriptException();
}

Napi::Value rejected(Napi::Env env, const Status& status) {
  auto deferred = Napi::Promise::Deferred::New(env);
  deferred.Reject(error_value(env, status));
  return deferred.Promise();
}

Fields::Fields(const Napi::Value& value, const char* what) : env_(value.Env()), what_(what) {
  if (value.IsObject()) {
    object_ = value.As<Napi::Object>();
  } else {
    status_ = Status::error(Code::internal, std::string(what) + " is not an object");
  }
}

Napi::Value Fields::get(const char* key) {
  if (!status_.ok()) return env_.Undefined();
  Napi::Value value = object_.Get(key);
  if (env_.IsExceptionPending()) {
    env_.GetAndClearPendingException();
    return env_.Undefined();
  }
  return value;
}

void Fields::fail(const char* key, const char* wanted) {
  if (status_.ok()) status_ = Status::error(Code::internal, std::string(what_) + "." + key + " is not " + wanted);
}

std::string Fields::text(const char* key) {
  Napi::Value value = get(key);
  if (value.IsString()) return value.As<Napi::String>().Utf8Value();
  fail(key, "text");
  return {};
}

double Fields::number(const char* key) {
  Napi::Value value = get(key);
  if (value.IsNumber()) return value.As<Napi::Number>().DoubleValue();
  fail(key, "a number");
  return 0;
}

std::int64_t Fields::integer(const char* key) {
  const double value = number(key);
  if (std::abs(value) <= kMaxSafeInteger && value == std::floor(value)) return static_cast<std::int64_t>(value);
  fail(key, "a whole number");
  return 0;
}

bool Fields::flag(const char* key) {
  Napi::Value value = get(key);
  if (value.IsBoolean()) return value.As<Napi::Boolean>().Value();
  fail(key, "true or false");
  return false;
}

std::vector<std::int32_t> Fields::ints(const char* key) {
  Napi::Value value = get(key);
  if (is_typed(value, napi_int32_array)) return copied<std::int32_t>(value);
  fail(key, "an Int32Array");
  return {};
}

std::vector<float> Fields::floats(const char* key) {
  Napi::Value value = get(key);
  if (is_typed(value, napi_float32_array)) return copied<float>(value);
  fail(key, "a Float32Array");
  return {};
}

Napi::Value Fields::object(const char* key) {
  Napi::Value value = get(key);
  if (value.IsObject()) return value;
  fail(key, "an object");
  return env_.Undefined();
}

bool Fields::is_null(const char* key) {
  const Napi::Value value = get(key);
  return value.IsNull() || value.IsUndefined();
}

Status read_batch(const Napi::Value& value, Batch& batch) {
  Fields fields(value, "batch");
  batch.ids = fields.ints("ids");
  batch.labels = fields.ints("labels");
  batch.positions = fields.ints("positions");
  batch.cu_seqlens = fields.ints("cu_seqlens");
  batch.ce_weights = fields.floats("ce_weights");
  batch.kl_weights = fields.floats("kl_weights");
  return fields.status();
}

Status read_request(const Napi::Value& value, GenerateRequest& request) {
  Fields fields(value, "request");
  request.prompt = fields.ints("prompt");
  request.stop = fields.ints("stop");
  request.max_tokens = fields.integer("max_tokens");
  request.adapter = fields.flag("adapter");
  Fields sampling(fields.object("sampling"), "sampling");
  NAMESAKE_TRY(fields.status());
  request.sampling.temperature = static_cast<float>(sampling.number("temperature"));
  request.sampling.top_k = sampling.integer("top_k");
  request.sampling.top_p = static_cast<float>(sampling.number("top_p"));
  request.sampling.min_p = static_cast<float>(sampling.number("min_p"));
  request.sampling.repetition_penalty = static_cast<float>(sampling.number("repetition_penalty"));
  request.sampling.seed = static_cast<std::uint64_t>(sampling.integer("seed"));
  return sampling.status();
}

Status read_ids(const Napi::Value& value, std::vector<std::int32_t>& ids) {
  if (!is_typed(value, napi_int32_array)) return Status::error(Code::internal, "ids is not an Int32Array");
  ids = copied<std::int32_t>(value);
  return {};
}

Status read_text(const Napi::Value& value, const char* what, std::string& text) {
  if (!value.IsString()) return Status::error(Code::internal, std::string(what) + " is not text");
  text = value.As<Napi::String>().Utf8Value();
  return {};
}

Napi::Object to_js(Napi::Env env, const StepResult& step) {
  auto object = Napi::Object::New(env);
  object.Set("step", static_cast<double>(step.step));
  object.Set("loss", step.loss);
  object.Set("ce", step.ce);
  object.Set("kl", step.kl);
  object.Set("grad_norm", step.grad_norm);
  object.Set("lr", step.lr);
  object.Set("tokens", static_cast<double>(step.tokens));
  auto seconds = Napi::Object::New(env);
  seconds.Set("forward", step.seconds.forward);
  seconds.Set("backward", step.seconds.backward);
  seconds.Set("update", step.seconds.update);
  object.Set("seconds", seconds);
  return object;
}

Napi::Object to_js(Napi::Env env, const ScoreResult& score) {
  auto object = Napi::Object::New(env);
  object.Set("ce_tuned", score.ce_tuned);
  object.Set("ce_base", score.ce_base);
  object.Set("kl", score.kl);
  object.Set("labels", static_cast<double>(score.labels));
  return object;
}

Napi::Object to_js(Napi::Env env, const GenerateResult& result) {
  auto object = Napi::Object::New(env);
  object.Set("tokens", ids_to_js(env, result.tokens));
  object.Set("reason", reason_name(result.reason));
  return object;
}

Napi::Object to_js(Napi::Env env, const GenerateTimes& times) {
  auto object = Napi::Object::New(env);
  object.Set("prompt_tokens", static_cast<double>(times.prompt_tokens));
  object.Set("tokens", static_cast<double>(times.tokens));
  object.Set("prefill_seconds", times.prefill_seconds);
  object.Set("decode_seconds", times.decode_seconds);
  return object;
}

Napi::Value to_js(Napi::Env env, const std::vector<float>& values) {
  auto array = Napi::Float32Array::New(env, values.size());
  // No room for the copy leaves an error pending and no array.
  if (!array.IsEmpty() && !values.empty()) std::memcpy(array.Data(), values.data(), values.size() * sizeof(float));
  return array;
}

void set_config(Napi::Object& object, const Config& config) {
  const auto set = [&object](const char* key, std::int64_t value) { object.Set(key, static_cast<double>(value)); };
  object.Set("architecture", config.architecture);
  set("hidden", config.hidden);
  set("layers", config.layers);
  set("heads", config.heads);
  set("kv_heads", config.kv_heads);
  set("head_dim", config.head_dim);
  set("ffn", config.ffn);
  set("vocab", config.vocab);
  set("context", config.context);
  object.Set("tied", config.tied);
  object.Set("family", family_name(config.family));
  object.Set("qkv_bias", config.qkv_bias);
  object.Set("qk_norm", config.qk_norm);
  object.Set("fused_qkv", config.fused_qkv);
}

}  // namespace namesake::addon
