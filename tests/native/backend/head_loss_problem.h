// A problem of head_loss, for any backend.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include "backend/fixture.h"
#include "backend/placed_matrix.h"

namespace namesake::test {

/// What of head_loss is asked for, and how large.
struct HeadLossShape {
  BlockType type;
  std::int64_t M, V, C;
  bool with_base = true, with_dx = true;
  float spread = 1;     // of the hidden states
  bool halves = false;  // hidden states are such that bf16 and f16 hold them

  std::string text() const {
    std::ostringstream out;
    out << block_format(type).name << " M=" << M << " V=" << V << " C=" << C << " base=" << with_base << " dx=" << with_dx;
    return out.str();
  }
};

/// Rows of all kinds: skipped, with cross-entropy, with KL, with both.
struct HeadLossProblem {
  explicit HeadLossProblem(const HeadLossShape& s)
      : shape(s), random(s.text()), blocks(s.type, s.V, s.C, random), head(blocks.matrix()), x(random.normals(s.M * s.C, s.spread)), x_base(x) {
    for (float& value : x_base) value += random.normal(0.2f * s.spread);
    for (std::int64_t m = 0; m < s.M; ++m) {
      // Each of: skipped (where the target is -100, and hidden states are NaN), cross-entropy, KL, both.
      const std::int64_t kind = random.integer(0, 4);
      const bool ce = kind & 1, kl = (kind & 2) && s.with_base;
      targets.push_back(ce ? std::int32_t(random.integer(0, s.V)) : -100);
      ce_weight.push_back(ce ? 0.25f + std::fabs(random.normal()) : 0);
      kl_weight.push_back(kl ? 0.25f + std::fabs(random.normal()) : 0);
      if (s.halves) {
        for (std::int64_t i = m * s.C; i < (m + 1) * s.C; ++i) {
          for (float* value : {&x[std::size_t(i)], &x_base[std::size_t(i)]}) *value = bf16_to_f32(f32_to_bf16(*value));
        }
      }
      if (!ce && !kl) std::fill_n(x.begin() + m * s.C, s.C, std::numeric_limits<float>::quiet_NaN());
    }
  }

  /// ce, kl (where there is a base), dx (where asked for).
  Outputs run(Backend& backend, std::int64_t first, std::int64_t count) const {
    Outputs outputs;
    REQUIRE(run(backend, first, count, outputs).ok());
    return outputs;
  }
  Status run(Backend& backend, std::int64_t first, std::int64_t count, Outputs& outputs) const {
    const HeadLossShape& s = shape;
    const Integers at(backend, slice(targets, 1, first, count));
    Array ax(backend, slice(x, s.C, first, count)), abase(backend, slice(x_base, s.C, first, count)),
        ace(backend, slice(ce_weight, 1, first, count)), akl(backend, slice(kl_weight, 1, first, count)),
        ce(backend, count), kl(backend, count), dx(backend, count * s.C);
    HeadLoss args;
    const PlacedMatrix placed(backend, head);
    args.head = placed.matrix();
    args.M = count;
    args.x = ax.data();
    args.x_base = s.with_base ? abase.data() : nullptr;
    args.targets = nullptr;  // where no row has a target nobody asks for one
    for (float weight : slice(ce_weight, 1, first, count)) {
      if (weight != 0) args.targets = at.data();
    }
    args.ce_weight = ace.data();
    args.kl_weight = akl.data();
    args.ce = ce.data();
    args.kl = s.with_base ? kl.data() : nullptr;
    args.dx = s.with_dx ? dx.data() : nullptr;
    NAMESAKE_TRY(backend.head_loss(args));
    outputs = {ce.host()};
    if (s.with_base) outputs.push_back(kl.host());
    if (s.with_dx) outputs.push_back(dx.host());
    return {};
  }

  double loss() const {
    const Outputs made = run(reference(), 0, shape.M);
    return inner(ce_weight, made[0]) + (shape.with_base ? inner(kl_weight, made[1]) : 0);
  }

  HeadLossShape shape;
  Random random;
  Blocks blocks;
  Matrix head;  ///< of the blocks
  std::vector<float> x, x_base, ce_weight, kl_weight;
  std::vector<std::int32_t> targets;
};

}  // namespace namesake::test
