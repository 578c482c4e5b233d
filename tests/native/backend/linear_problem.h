// A problem of linear_forward and linear_backward, for any backend.
#pragma once

#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "backend/fixture.h"
#include "backend/placed_matrix.h"

namespace namesake::test {

/// Where the residual of a linear layer lies.
enum class Residual { none, separate, in_place };

/// What of a linear layer is asked for, and how large.
struct LinearShape {
  BlockType type;
  std::int64_t M, N, K, rank = 0;  // rank 0 = no adapter
  bool bias = false, row_on = false, accumulate = false, with_dx = true;
  Residual residual = Residual::none;

  std::string text() const {
    std::ostringstream out;
    out << block_format(type).name << " M=" << M << " N=" << N << " K=" << K << " rank=" << rank << " bias=" << bias
        << " row_on=" << row_on << " accumulate=" << accumulate << " residual=" << int(residual);
    return out.str();
  }
};

/// A linear layer with inputs and gradients, for any backend.
struct LinearProblem {
  explicit LinearProblem(const LinearShape& s)
      : shape(s), random(s.text()), w(s.type, s.N, s.K, random), x(random.normals(s.M * s.K)), bias(random.normals(s.N)),
        residual(random.normals(s.M * s.N)), a(random.normals(s.rank * s.K, 0.2f)), b(random.normals(s.N * s.rank, 0.2f)),
        dy(random.normals(s.M * s.N)), dx0(random.normals(s.M * s.K)), da0(random.normals(s.rank * s.K)),
        db0(random.normals(s.N * s.rank)) {
    for (std::int64_t m = 0; m < s.M; ++m) row_on.push_back(s.row_on && random.integer(0, 2) ? 0.0f : 1.0f);
  }

  LoraView lora(const float* a_data, const float* b_data, const float* on) const {
    return {a_data, b_data, shape.rank, 0.75f, shape.row_on ? on : nullptr};
  }

  /// Rows that are off may hold anything in xa.
  std::vector<float> known_xa(std::vector<float> xa, std::int64_t first) const {
    for (std::size_t i = 0; i < xa.size(); ++i) {
      const std::int64_t m = first + static_cast<std::int64_t>(i) / shape.rank;
      if (row_on[static_cast<std::size_t>(m)] == 0) xa[i] = 0;
    }
    return xa;
  }

  Outputs forward(Backend& backend, Phase phase, std::int64_t first, std::int64_t count) const {
    const LinearShape& s = shape;
    const PlacedMatrix placed(backend, w.matrix());
    Array ax(backend, slice(x, s.K, first, count)), abias(backend, bias), aa(backend, a), ab(backend, b),
        aon(backend, slice(row_on, 1, first, count)), ares(backend, slice(residual, s.N, first, count)),
        y(backend, count * s.N), xa(backend, count * s.rank);
    const LoraView view = lora(aa.data(), ab.data(), aon.data());
    float* out = s.residual == Residual::in_place ? ares.data() : y.data();
    REQUIRE(backend
                .linear_forward(placed.matrix(), s.bias ? abias.data() : nullptr, s.rank ? &view : nullptr, ax.data(), count,
                                s.residual == Residual::none ? nullptr : ares.data(), out,
                                s.rank ? xa.data() : nullptr, phase)
                .ok());
    Outputs outputs{s.residual == Residual::in_place ? ares.host() : y.host()};
    if (s.rank) outputs.push_back(known_xa(xa.host(), first));
    return outputs;
  }

  /// xa of a layer that is asked for nothing else.
  Outputs low_rank_alone(Backend& backend) const {
    const PlacedMatrix placed(backend, w.matrix());
    Array ax(backend, x), abias(backend, bias), aa(backend, a), ab(backend, b), aon(backend, row_on), xa(backend, shape.M * shape.rank);
    const LoraView view = lora(aa.data(), ab.data(), aon.data());
    REQUIRE(backend.linear_forward(placed.matrix(), abias.data(), &view, ax.data(), shape.M, nullptr, nullptr, xa.data(), Phase::prefill).ok());
    return {known_xa(xa.host(), 0)};
  }

  Outputs backward(Backend& backend, std::int64_t first, std::int64_t count) const {
    const LinearShape& s = shape;
    // The stored xa is what forward made; the reference's own, so that every backend gets the same input.
    const std::vector<float> xa =
        s.rank ? forward(reference(), Phase::prefill, first, count)[1] : std::vector<float>{};
    const PlacedMatrix placed(backend, w.matrix());
    Array ax(backend, slice(x, s.K, first, count)), aa(backend, a), ab(backend, b),
        aon(backend, slice(row_on, 1, first, count)), axa(backend, xa), ady(backend, slice(dy, s.N, first, count)),
        dx(backend, s.accumulate ? slice(dx0, s.K, first, count)
                                 : std::vector<float>(static_cast<std::size_t>(count * s.K), 7.0f)),
        da(backend, da0), db(backend, db0);
    const LoraView view = lora(aa.data(), ab.data(), aon.data());
    const bool on = s.rank > 0;
    REQUIRE(backend
                .linear_backward(placed.matrix(), on ? &view : nullptr, ax.data(), on ? axa.data() : nullptr, ady.data(), count,
                                 s.accumulate, s.with_dx ? dx.data() : nullptr, on ? da.data() : nullptr,
                                 on ? db.data() : nullptr)
                .ok());
    Outputs outputs;
    if (s.with_dx) outputs.push_back(dx.host());
    if (on) {
      outputs.push_back(da.host());
      outputs.push_back(db.host());
    }
    return outputs;
  }

  LinearShape shape;
  Random random;
  Blocks w;
  std::vector<float> x, bias, residual, a, b, row_on, dy, dx0, da0, db0;
};

}  // namespace namesake::test
