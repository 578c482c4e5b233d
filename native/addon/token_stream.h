// TokenStream: tokens from a generating thread to a JavaScript function, in order, all of them before the promise settles.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "addon/convert.h"

namespace namesake::addon {

/// Made and drained on the JavaScript thread; push comes from the job's thread. Tokens wait in a queue of its own, because
/// the wake-up that a thread-safe function sends and the end of the job reach JavaScript in either order.
class TokenStream : public std::enable_shared_from_this<TokenStream> {
 public:
  /// `function(index, token)` is called for every token.
  static std::shared_ptr<TokenStream> create(Napi::Env env, const Napi::Function& function);
  ~TokenStream();

  /// Any thread.
  void push(std::size_t request, std::int32_t token);

  /// Calls the function for what has come. Stops at its first exception, which stays pending.
  void drain(Napi::Env env);

 private:
  TokenStream() = default;

  std::mutex mutex_;
  std::vector<std::pair<std::size_t, std::int32_t>> queue_;
  Napi::FunctionReference function_;
  Napi::ThreadSafeFunction wake_;
};

}  // namespace namesake::addon
