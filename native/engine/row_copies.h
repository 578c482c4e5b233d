// Row copies: some rows of an array put side by side, and back to their places.
#pragma once

#include <cstdint>
#include <vector>

#include "backend/ops.h"

namespace namesake {

/// to [rows.size(), width] = `rows` (ascending) of from. to may not overlap from.
Status gather_rows(Backend& backend, const std::vector<std::int32_t>& rows, const float* from, std::int64_t width, float* to);
/// `rows` of to = from [rows.size(), width]; its other rows stay as they are.
Status scatter_rows(Backend& backend, const std::vector<std::int32_t>& rows, const float* from, std::int64_t width, float* to);

}  // namespace namesake
