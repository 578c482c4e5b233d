// A problem of split_qkv and join_qkv, for any backend.
#pragma once

#include <string>
#include <vector>

#include "backend/fixture.h"

namespace namesake::test {

/// The output of a fused layer.
struct FusedQkvProblem {
  FusedQkvProblem(std::int64_t rows, std::int64_t query_heads, std::int64_t key_heads, std::int64_t head_dim)
      : M(rows), H(query_heads), G(key_heads), D(head_dim),
        random("fused qkv " + std::to_string(M) + " " + std::to_string(H) + " " + std::to_string(G) + " " + std::to_string(D)),
        qkv(random.normals(M * width())) {}

  std::int64_t width() const { return (H + 2 * G) * D; }

  /// q, k, v, and what they are joined to.
  Outputs run(Backend& backend, std::int64_t first, std::int64_t count) const {
    Array from(backend, slice(qkv, width(), first, count)), q(backend, count * H * D), k(backend, count * G * D),
        v(backend, count * G * D), to(backend, count * width());
    REQUIRE(backend.split_qkv(from.data(), count, H, G, D, q.data(), k.data(), v.data()).ok());
    REQUIRE(backend.join_qkv(q.data(), k.data(), v.data(), count, H, G, D, to.data()).ok());
    return {q.host(), k.host(), v.host(), to.host()};
  }

  std::int64_t M, H, G, D;
  Random random;
  std::vector<float> qkv;
};

}  // namespace namesake::test
