#include "addon/adapter_object.h"

#include <utility>

#include "addon/addon.h"

namespace namesake::addon {
namespace {

// Tells our objects from any other before they are unwrapped.
constexpr napi_type_tag kTag = {0x6e616d6573616b65, 0x61646170746572ff};

}  // namespace

Napi::Function AdapterObject::define(Napi::Env env) {
  return DefineClass(env, kName, {close_method()});
}

Napi::Object AdapterObject::make(Napi::Env env, std::shared_ptr<Session> session, std::shared_ptr<Adapter> adapter) {
  const double rank = static_cast<double>(adapter->shape().rank);
  const double alpha = adapter->alpha();
  const double parameters = static_cast<double>(parameter_count(*adapter));
  Napi::Object object = Handle::make(env, Addon::of(env).adapter, std::move(session), std::move(adapter));
  object.TypeTag(&kTag);
  object.Set("rank", rank);
  object.Set("alpha", alpha);
  object.Set("parameters", parameters);
  return object;
}

Status AdapterObject::read(const Napi::Value& value, const Session& session, std::shared_ptr<Adapter>& adapter) {
  if (value.IsNull()) return {};
  if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&kTag)) {
    return Status::error(Code::internal, "adapter is neither an Adapter nor null");
  }
  AdapterObject* object = Unwrap(value.As<Napi::Object>());
  if (object->session().get() != &session) return Status::error(Code::internal, "the adapter belongs to another model");
  NAMESAKE_TRY(object->ready());
  adapter = object->native();
  return {};
}

std::int64_t parameter_count(Adapter& adapter) {
  std::int64_t count = 0;
  for (const Trainable& trainable : adapter.trainables()) count += trainable.rows * trainable.cols;
  return count;
}

}  // namespace namesake::addon
