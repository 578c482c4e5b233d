// A problem of rmsnorm_forward and rmsnorm_backward, for any backend.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "backend/fixture.h"

namespace namesake::test {

/// Rows for both ops, one of them zeros.
struct RmsnormProblem {
  static constexpr float kEps = 1e-5f;

  RmsnormProblem(std::int64_t rows, std::int64_t width)
      : M(rows), C(width), random("rmsnorm " + std::to_string(M) + " " + std::to_string(C)), x(random.normals(M * C)),
        weight(random.normals(C)), dy(random.normals(M * C)), dx0(random.normals(M * C)) {
    // A row of zeros: rstd is 1 / sqrt(eps).
    if (M > 2) std::fill_n(x.begin() + C, C, 0.0f);
  }

  /// y and rstd.
  Outputs forward(Backend& backend, std::int64_t first, std::int64_t count) const {
    Array ax(backend, slice(x, C, first, count)), aw(backend, weight), y(backend, count * C), rstd(backend, count);
    REQUIRE(backend.rmsnorm_forward(ax.data(), aw.data(), kEps, count, C, y.data(), rstd.data()).ok());
    Array without(backend, count * C);
    REQUIRE(backend.rmsnorm_forward(ax.data(), aw.data(), kEps, count, C, without.data(), nullptr).ok());
    CHECK(without.host() == y.host());
    REQUIRE(backend.rmsnorm_forward(ax.data(), aw.data(), kEps, count, C, ax.data(), nullptr).ok());
    CHECK(ax.host() == y.host());  // in place
    return {y.host(), rstd.host()};
  }

  /// dx, which is added to dx0.
  Outputs backward(Backend& backend, std::int64_t first, std::int64_t count) const {
    const Outputs made = forward(reference(), first, count);
    Array ady(backend, slice(dy, C, first, count)), ax(backend, slice(x, C, first, count)), aw(backend, weight),
        rstd(backend, made[1]), dx(backend, slice(dx0, C, first, count));
    REQUIRE(backend.rmsnorm_backward(ady.data(), ax.data(), aw.data(), rstd.data(), count, C, dx.data()).ok());
    return {dx.host()};
  }

  std::int64_t M, C;
  Random random;
  std::vector<float> x, weight, dy, dx0;
};

}  // namespace namesake::test
