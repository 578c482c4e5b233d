// What every translated module starts with.
#pragma once
#include "runtime/abi.h"

/// Set by the stand-in when it loads the module.
static const Callbacks* callbacks;

#include "runtime/arithmetic.h"
#include "runtime/bits.h"
#include "runtime/convert.h"
#include "runtime/matrix.h"
#include "runtime/memory.h"
#include "runtime/warp.h"

#define COUNT(field, n) (b->counts.field += (n))
