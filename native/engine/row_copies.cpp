#include "engine/row_copies.h"

namespace namesake {

namespace {

/// Calls copy(first row of the run in `rows`' own numbering, its index in the whole, length) for each run of adjacent rows.
template <class Copy>
Status for_each_run(const std::vector<std::int32_t>& rows, Copy copy) {
  for (std::size_t begin = 0; begin < rows.size();) {
    std::size_t end = begin + 1;
    while (end < rows.size() && rows[end] == rows[end - 1] + 1) ++end;
    NAMESAKE_TRY(copy(static_cast<std::int64_t>(begin), static_cast<std::int64_t>(rows[begin]),
                      static_cast<std::int64_t>(end - begin)));
    begin = end;
  }
  return {};
}

std::size_t bytes_of(std::int64_t rows, std::int64_t width) { return static_cast<std::size_t>(rows * width) * sizeof(float); }

}  // namespace

Status gather_rows(Backend& backend, const std::vector<std::int32_t>& rows, const float* from, std::int64_t width, float* to) {
  return for_each_run(rows, [&](std::int64_t dense, std::int64_t whole, std::int64_t count) {
    return backend.copy(to + dense * width, from + whole * width, bytes_of(count, width));
  });
}

Status scatter_rows(Backend& backend, const std::vector<std::int32_t>& rows, const float* from, std::int64_t width, float* to) {
  return for_each_run(rows, [&](std::int64_t dense, std::int64_t whole, std::int64_t count) {
    return backend.copy(to + whole * width, from + dense * width, bytes_of(count, width));
  });
}

}  // namespace namesake
