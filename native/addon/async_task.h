// AsyncTask: one slow call. The work runs on libuv's pool, the promise settles on the JavaScript thread.
#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <utility>

#include "addon/convert.h"
#include "addon/session.h"

namespace namesake::addon {

/// The value of a task that has none.
struct Nothing {};

template <class Value>
class AsyncTask final : public Napi::AsyncWorker {
 public:
  using Work = std::function<Result<Value>()>;
  using Finish = std::function<Napi::Value(Napi::Env, Value&)>;

  /// Runs `work` on the pool as the session's one job and returns the promise of what `finish` makes of its value, or of an
  /// Error with `code` and `detail`. The session is busy from here until just before the promise settles. session may be
  /// nullptr (there is no model yet).
  static Napi::Value run(Napi::Env env, std::shared_ptr<Session> session, Work work, Finish finish) {
    if (session) {
      if (Status status = session->begin(); !status.ok()) return rejected(env, status);
    }
    auto* task = new AsyncTask(env, std::move(session), std::move(work), std::move(finish));
    Napi::Promise promise = task->deferred_.Promise();
    task->Queue();  // from here on it deletes itself
    return promise;
  }

 private:
  AsyncTask(Napi::Env env, std::shared_ptr<Session> session, Work work, Finish finish)
      : Napi::AsyncWorker(env, "namesake"),
        deferred_(Napi::Promise::Deferred::New(env)),
        session_(std::move(session)),
        work_(std::move(work)),
        finish_(std::move(finish)) {}

  // The engine reports by Status; only the standard library's containers throw, and nothing may pass this border.
  void Execute() override {
    try {
      result_.emplace(work_());
    } catch (const std::bad_alloc&) {
      result_.emplace(Status::error(Code::memory_insufficient, "an allocation failed"));
    } catch (const std::exception& error) {
      result_.emplace(Status::error(Code::internal, error.what()));
    }
  }

  void OnWorkComplete(Napi::Env env, napi_status status) override {
    if (session_) session_->end();
    // An environment that is being torn down waits for its jobs, but there is nobody left to tell.
    Napi::AsyncWorker::OnWorkComplete(env, can_run_javascript(env) ? status : napi_cancelled);
  }

  void OnOK() override {
    Napi::Env env = Env();
    if (!result_->ok()) {
      deferred_.Reject(error_value(env, result_->status()));
      return;
    }
    Napi::Value value = finish_(env, result_->value());
    if (env.IsExceptionPending()) {
      deferred_.Reject(env.GetAndClearPendingException().Value());
    } else {
      deferred_.Resolve(value);
    }
  }

  // Members go in reverse order: whatever the work holds is freed before the session is let go.
  Napi::Promise::Deferred deferred_;
  std::shared_ptr<Session> session_;
  std::optional<Result<Value>> result_;
  Work work_;
  Finish finish_;
};

/// The `finish` of a task without a value.
inline Napi::Value finish_nothing(Napi::Env env, Nothing&) { return env.Undefined(); }

}  // namespace namesake::addon
