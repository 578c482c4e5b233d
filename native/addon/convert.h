// Convert: JavaScript values to the engine's structs and back. The only file that knows the names of their fields.
#pragma once

// C++ exceptions are off (node-addon-api leaves errors pending instead). An environment that is going away can
// take no pending error either, and must not be aborted for that.
#ifndef NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS
#define NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS
#endif
#include <napi.h>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "namesake/generator.h"
#include "namesake/trainer.h"

namespace namesake::addon {

/// False once the environment is being torn down: values can no longer be made then.
bool can_run_javascript(Napi::Env env);

/// An Error with `code` (as in shared/errors.ts) and `detail`; memory.insufficient also with `needed` and `available` bytes.
Napi::Value error_value(Napi::Env env, const Status& status);

/// Throws that error in JavaScript once the native function returns.
void throw_status(Napi::Env env, const Status& status);

/// A promise that is rejected with that error.
Napi::Value rejected(Napi::Env env, const Status& status);

/// Reads the fields of an object. The first one of a wrong type is remembered as the status (`internal`: callers check
/// their arguments in TypeScript) and later reads return empty values.
class Fields {
 public:
  Fields(const Napi::Value& value, const char* what);

  std::string text(const char* key);
  double number(const char* key);
  std::int64_t integer(const char* key);
  bool flag(const char* key);
  std::vector<std::int32_t> ints(const char* key);  ///< an Int32Array
  std::vector<float> floats(const char* key);       ///< a Float32Array
  Napi::Value object(const char* key);              ///< an object or function, otherwise undefined
  bool is_null(const char* key);  ///< or not there

  const Status& status() const { return status_; }

 private:
  Napi::Value get(const char* key);
  void fail(const char* key, const char* wanted);

  Napi::Env env_;
  Napi::Object object_;
  const char* what_;
  Status status_;
};

/// The elements of an array, each read by `read(element, out)`; a Status of the first that does not fit.
template <class T, class Read>
Status read_list(const Napi::Value& value, const char* what, std::vector<T>& out, Read read) {
  if (!value.IsArray()) return Status::error(Code::internal, std::string(what) + " is not an array");
  auto array = value.As<Napi::Array>();
  for (std::uint32_t i = 0; i < array.Length(); ++i) {
    T item;
    NAMESAKE_TRY(read(array.Get(i), item));
    out.push_back(std::move(item));
  }
  return {};
}

/// {ids, labels, positions, cu_seqlens: Int32Array, ce_weights, kl_weights: Float32Array}
Status read_batch(const Napi::Value& value, Batch& batch);
/// {prompt, stop: Int32Array, max_tokens, adapter, sampling}
Status read_request(const Napi::Value& value, GenerateRequest& request);

/// An Int32Array argument.
Status read_ids(const Napi::Value& value, std::vector<std::int32_t>& ids);
/// A string argument.
Status read_text(const Napi::Value& value, const char* what, std::string& text);

/// The value that `name` stands for among `names`; `otherwise` for any other name.
template <class T>
Status read_name(const std::string& name, std::initializer_list<std::pair<std::string_view, T>> names, const Status& otherwise, T& value) {
  for (const auto& [known, meant] : names) {
    if (name != known) continue;
    value = meant;
    return {};
  }
  return otherwise;
}

Napi::Object to_js(Napi::Env env, const StepResult& step);
Napi::Object to_js(Napi::Env env, const ScoreResult& score);
Napi::Object to_js(Napi::Env env, const GenerateResult& result);
Napi::Object to_js(Napi::Env env, const GenerateTimes& times);
/// Sets architecture, sizes, family and options: the fields of ModelShape in shared/model.ts.
void set_config(Napi::Object& object, const Config& config);
/// A Float32Array with a copy of the values.
Napi::Value to_js(Napi::Env env, const std::vector<float>& values);
/// An array of what to_js makes of each item.
template <class T>
Napi::Array to_js_list(Napi::Env env, const std::vector<T>& items) {
  auto array = Napi::Array::New(env, items.size());
  for (std::uint32_t i = 0; i < items.size(); ++i) array.Set(i, to_js(env, items[i]));
  return array;
}

}  // namespace namesake::addon
