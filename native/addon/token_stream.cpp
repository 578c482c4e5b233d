#include "addon/token_stream.h"

namespace namesake::addon {

std::shared_ptr<TokenStream> TokenStream::create(Napi::Env env, const Napi::Function& function) {
  std::shared_ptr<TokenStream> stream(new TokenStream());
  stream->function_ = Napi::Persistent(function);
  stream->wake_ = Napi::ThreadSafeFunction::New(env, function, "namesake tokens", 0, 1);
  return stream;
}

TokenStream::~TokenStream() { wake_.Release(); }

void TokenStream::push(std::size_t request, std::int32_t token) {
  bool first = false;
  {
    std::lock_guard lock(mutex_);
    first = queue_.empty();
    queue_.emplace_back(request, token);
  }
  if (!first) return;  // a wake-up is on its way
  // The wake-up may come after the job's end, so it keeps the stream only if that still lives.
  auto* target = new std::weak_ptr<TokenStream>(weak_from_this());
  const napi_status status = wake_.NonBlockingCall(target, [](Napi::Env env, Napi::Function, std::weak_ptr<TokenStream>* data) {
    std::unique_ptr<std::weak_ptr<TokenStream>> owned(data);
    if (auto stream = owned->lock()) stream->drain(env);
  });
  if (status != napi_ok) delete target;  // the environment is closing
}

void TokenStream::drain(Napi::Env env) {
  std::vector<std::pair<std::size_t, std::int32_t>> tokens;
  {
    std::lock_guard lock(mutex_);
    tokens.swap(queue_);
  }
  for (const auto& [request, token] : tokens) {
    function_.Call({Napi::Number::New(env, static_cast<double>(request)), Napi::Number::New(env, token)});
    if (env.IsExceptionPending()) return;
  }
}

}  // namespace namesake::addon
