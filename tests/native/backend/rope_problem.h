// A problem of rope_forward and rope_backward, for any backend.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "backend/fixture.h"

namespace namesake::test {

/// Rows at random positions, and the table that they are turned by.
struct RopeProblem {
  static constexpr std::int64_t kPositions = 40;

  RopeProblem(std::int64_t rows, std::int64_t head_count, std::int64_t head_dim, bool pairs_adjacent)
      : M(rows), heads(head_count), D(head_dim), adjacent(pairs_adjacent),
        random("rope " + std::to_string(M * 1000 + heads * 100 + D)), x(random.normals(M * heads * D)),
        dy(random.normals(M * heads * D)) {
    for (std::int64_t m = 0; m < M; ++m) positions.push_back(std::int32_t(random.integer(0, kPositions)));
    for (std::int64_t p = 0; p < kPositions; ++p) {
      for (std::int64_t i = 0; i < D / 2; ++i) {
        const double angle = double(p) * std::pow(100.0, -2.0 * double(i) / double(D));
        cos.push_back(float(std::cos(angle)));
        sin.push_back(float(std::sin(angle)));
      }
    }
  }

  /// Rows first..first+count-1 of `in`, turned forward or back.
  std::vector<float> run(Backend& backend, const std::vector<float>& in, bool forward, std::int64_t first,
                         std::int64_t count) const {
    Array ax(backend, slice(in, heads * D, first, count)), acos(backend, cos), asin(backend, sin);
    const RopeTable table{acos.data(), asin.data(), kPositions, adjacent};
    const Integers at(backend, slice(positions, 1, first, count));
    REQUIRE((forward ? backend.rope_forward(ax.data(), at.data(), table, count, heads, D)
                     : backend.rope_backward(ax.data(), at.data(), table, count, heads, D))
                .ok());
    return ax.host();
  }

  std::int64_t M, heads, D;
  bool adjacent;
  Random random;
  std::vector<float> x, dy, cos, sin;
  std::vector<std::int32_t> positions;
};

}  // namespace namesake::test
