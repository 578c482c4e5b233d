// Handle: what trainer, generator and adapter objects have in common: a session, a native object, and closing.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "addon/convert.h"
#include "addon/session.h"

namespace namesake::addon {

/// A JavaScript object around a Native that lives in a session. `Derived::kName` is its class name. Only native code makes
/// one: the constructor takes an External, which JavaScript cannot build.
template <class Derived, class Native>
class Handle : public Napi::ObjectWrap<Derived>, public Part {
 public:
  explicit Handle(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Derived>(info) {
    if (!info[0].IsExternal()) {
      Napi::TypeError::New(info.Env(), std::string(Derived::kName) + " is made by its model").ThrowAsJavaScriptException();
      return;
    }
    auto* init = info[0].As<Napi::External<Init>>().Data();
    session_ = std::move(init->session);
    native_ = std::move(init->native);
    session_->add(this);
  }
  ~Handle() override {
    if (session_) session_->remove(this);
  }

  /// The object for `native`, made by the class's own constructor.
  static Napi::Object make(Napi::Env env, const Napi::FunctionReference& constructor, std::shared_ptr<Session> session,
                           std::shared_ptr<Native> native) {
    Init init{std::move(session), std::move(native)};
    return constructor.New({Napi::External<Init>::New(env, &init)});
  }

  void release() override { native_.reset(); }

  const std::shared_ptr<Session>& session() const { return session_; }
  const std::shared_ptr<Native>& native() const { return native_; }

  /// ok while a job on this object may start; engine.closed or engine.busy otherwise.
  Status ready() const {
    NAMESAKE_TRY(session_->ready());
    if (!native_) return Status::error(Code::engine_closed, std::string("this ") + Derived::kName + " is closed");
    return {};
  }

  /// The close method, for the class's definition.
  static Napi::ClassPropertyDescriptor<Derived> close_method() {
    return Napi::ObjectWrap<Derived>::InstanceMethod(
        "close", static_cast<void (Derived::*)(const Napi::CallbackInfo&)>(&Handle::close));
  }

  /// close(): frees the native object. Idempotent; throws engine.busy while a job runs on the model.
  void close(const Napi::CallbackInfo& info) {
    if (session_->state() == Session::State::busy) {
      throw_status(info.Env(), session_->ready());
    } else {
      release();
    }
  }

 private:
  struct Init {
    std::shared_ptr<Session> session;
    std::shared_ptr<Native> native;
  };

  std::shared_ptr<Session> session_;
  std::shared_ptr<Native> native_;
};

}  // namespace namesake::addon
