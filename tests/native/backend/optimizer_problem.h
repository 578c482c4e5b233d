// A problem of adamw, for any backend.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "backend/fixture.h"

namespace namesake::test {

/// n values in mid-training: with decay at the second step, clipped from then on.
struct AdamWProblem {
  AdamWProblem(std::int64_t n, std::int64_t step)
      : random("adamw " + std::to_string(n) + " " + std::to_string(step)), grad(random.normals(n)), value(random.normals(n, 0.1f)),
        m(random.normals(n, 0.1f)), v(random.normals(n, 0.1f)) {
    for (float& x : v) x = std::fabs(x);
    if (n > 3) v[1] = 0;
    options.lr = 1e-3f;
    options.weight_decay = step == 2 ? 0.1f : 0;
    options.step = step;
    options.grad_scale = step == 1 ? 1 : 0.3f;
  }

  /// value, m, v after the step.
  Outputs run(Backend& backend, std::int64_t first, std::int64_t count) const {
    Array ag(backend, slice(grad, 1, first, count)), avalue(backend, slice(value, 1, first, count)),
        am(backend, slice(m, 1, first, count)), av(backend, slice(v, 1, first, count));
    REQUIRE(backend.adamw(options, count, ag.data(), avalue.data(), am.data(), av.data()).ok());
    return {avalue.host(), am.host(), av.host()};
  }

  Random random;
  std::vector<float> grad, value, m, v;
  AdamW options;
};

}  // namespace namesake::test
