// A problem of swiglu_forward and swiglu_backward, for any backend.
#pragma once

#include <string>
#include <vector>

#include "backend/fixture.h"

namespace namesake::test {

/// Gates of this spread, and what goes with them.
struct SwigluProblem {
  explicit SwigluProblem(std::int64_t count, float spread = 2)
      : n(count), random("swiglu " + std::to_string(n)), gate(random.normals(n, spread)), up(random.normals(n)),
        dy(random.normals(n)) {}

  Outputs forward(Backend& backend, std::int64_t first, std::int64_t count) const {
    Array ag(backend, slice(gate, 1, first, count)), au(backend, slice(up, 1, first, count)), y(backend, count);
    REQUIRE(backend.swiglu_forward(ag.data(), au.data(), count, y.data()).ok());
    return {y.host()};
  }

  /// dgate and dup.
  Outputs backward(Backend& backend, std::int64_t first, std::int64_t count, bool in_place) const {
    Array ag(backend, slice(gate, 1, first, count)), au(backend, slice(up, 1, first, count)),
        ady(backend, slice(dy, 1, first, count)), dgate(backend, count), dup(backend, count);
    Array& to_gate = in_place ? ag : dgate;
    Array& to_up = in_place ? au : dup;
    REQUIRE(backend.swiglu_backward(ady.data(), ag.data(), au.data(), count, to_gate.data(), to_up.data()).ok());
    return {to_gate.host(), to_up.host()};
  }

  std::int64_t n;
  Random random;
  std::vector<float> gate, up, dy;
};

}  // namespace namesake::test
