// planMemory: the memory plan for JavaScript. Surface: NativeAddon.planMemory in main/engine/native.d.ts.
#pragma once

#include "addon/convert.h"

namespace namesake::addon {

/// planMemory(path | shape, options): the promise of a MemoryPlan. A path is a GGUF file; a shape is for a model that is not here.
/// Device auto is decided here: the card where one works and has room for the plan, otherwise the processor and why.
Napi::Value plan_memory_call(const Napi::CallbackInfo& info);

/// modelShape(path): the promise of the shapes that a GGUF file states.
Napi::Value model_shape_call(const Napi::CallbackInfo& info);

}  // namespace namesake::addon
