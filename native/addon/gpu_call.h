// gpus: what graphics cards there are, for JavaScript. Surface: NativeAddon.gpus in main/engine/native.d.ts.
#pragma once

#include <optional>

#include "addon/convert.h"
#include "namesake/gpu.h"

namespace namesake::addon {

/// gpus(): the promise of a GpuReport. What is missing is in the report; it never rejects for it.
Napi::Value gpus_call(const Napi::CallbackInfo& info);

/// {code, detail}, or null where all is well.
Napi::Value problem_to_js(Napi::Env env, const Status& status);

/// A UsedCard, or null.
Napi::Value used_card_to_js(Napi::Env env, const std::optional<UsedCard>& card);

}  // namespace namesake::addon
