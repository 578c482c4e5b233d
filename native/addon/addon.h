// Addon: what belongs to one JavaScript environment (main thread or worker). Nothing here is global.
#pragma once

#include <memory>
#include <vector>

#include "addon/convert.h"
#include "addon/session.h"

namespace namesake::addon {

struct Addon {
  Napi::FunctionReference model, trainer, generator, adapter;  ///< constructors; none is exported
  std::vector<std::weak_ptr<Session>> sessions;                ///< to free them when the environment goes away

  /// Of the calling environment.
  static Addon& of(Napi::Env env) { return *env.GetInstanceData<Addon>(); }

  /// A session that the environment's end closes.
  std::shared_ptr<Session> make_session();

  /// The environment goes away: models and all that was made from them are freed. Node has waited for running jobs.
  void end();
};

}  // namespace namesake::addon
