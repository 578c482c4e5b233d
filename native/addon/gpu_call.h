// gpus: what graphics cards there are, for JavaScript. Surface: NativeAddon.gpus in main/engine/native.d.ts.
#pragma once

#include "addon/convert.h"

namespace namesake::addon {

/// gpus(): the promise of a GpuReport. What is missing is in the report; it never rejects for it.
Napi::Value gpus_call(const Napi::CallbackInfo& info);

}  // namespace namesake::addon
