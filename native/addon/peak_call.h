// measurePeak: the processor's measured peaks for JavaScript. Surface: NativeAddon.measurePeak in main/engine/native.d.ts.
#pragma once

#include "addon/convert.h"

namespace namesake::addon {

/// measurePeak(question): {peak: the promise of a PeakReport, cancel(): it ends soon with `cancelled`}.
Napi::Value measure_peak_call(const Napi::CallbackInfo& info);

}  // namespace namesake::addon
