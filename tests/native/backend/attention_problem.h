// Problems of attention that the tests of all backends share.
#pragma once

#include <cmath>
#include <cstdint>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "backend/fixture.h"

namespace namesake::test {

/// Sizes of heads, letters as in backend/ops.h.
struct HeadShape {
  std::int64_t H, G, D;
};

inline std::string text(HeadShape s) {
  std::ostringstream out;
  out << "H=" << s.H << " G=" << s.G << " D=" << s.D;
  return out.str();
}

inline AttentionShape attention_shape(HeadShape s, bool causal) {
  return {s.H, s.G, s.D, causal, float(1 / std::sqrt(double(s.D)))};
}

/// Sequences in a batch, and gradients of their outputs.
struct AttentionProblem {
  AttentionProblem(HeadShape s, std::vector<std::int64_t> sequence_lengths, bool is_causal)
      : shape(s), lengths(std::move(sequence_lengths)), causal(is_causal), random("attention " + text(s)) {
    cu_seqlens.push_back(0);
    for (std::int64_t length : lengths) cu_seqlens.push_back(std::int32_t(cu_seqlens.back() + length));
    M = cu_seqlens.back();
    q = random.normals(M * s.H * s.D, 1.5f);
    k = random.normals(M * s.G * s.D, 1.5f);
    v = random.normals(M * s.G * s.D);
    do_ = random.normals(M * s.H * s.D);
  }

  /// Sequences first..first+count-1 as a batch of their own: o, lse.
  Outputs forward(Backend& backend, std::size_t first, std::size_t count) const {
    const auto [begin, rows, borders] = part(first, count);
    Array aq(backend, slice(q, shape.H * shape.D, begin, rows)), ak(backend, slice(k, shape.G * shape.D, begin, rows)),
        av(backend, slice(v, shape.G * shape.D, begin, rows)), o(backend, rows * shape.H * shape.D),
        lse(backend, rows * shape.H);
    REQUIRE(backend
                .attention_forward(aq.data(), ak.data(), av.data(), borders.data(), std::int64_t(count),
                                   attention_shape(shape, causal), o.data(), lse.data())
                .ok());
    return {o.host(), lse.host()};
  }

  /// dq, dk, dv.
  Outputs backward(Backend& backend, std::size_t first, std::size_t count) const {
    const auto [begin, rows, borders] = part(first, count);
    const Outputs made = forward(reference(), first, count);
    const std::int64_t qw = shape.H * shape.D, kw = shape.G * shape.D;
    Array ado(backend, slice(do_, qw, begin, rows)), aq(backend, slice(q, qw, begin, rows)),
        ak(backend, slice(k, kw, begin, rows)), av(backend, slice(v, kw, begin, rows)), o(backend, made[0]),
        lse(backend, made[1]), dq(backend, rows * qw), dk(backend, rows * kw), dv(backend, rows * kw);
    REQUIRE(backend
                .attention_backward(ado.data(), aq.data(), ak.data(), av.data(), o.data(), lse.data(), borders.data(),
                                    std::int64_t(count), attention_shape(shape, causal), dq.data(), dk.data(), dv.data())
                .ok());
    return {dq.host(), dk.host(), dv.host()};
  }

  struct Part {
    std::int64_t begin, rows;
    std::vector<std::int32_t> borders;
  };
  Part part(std::size_t first, std::size_t count) const {
    Part p{cu_seqlens[first], cu_seqlens[first + count] - cu_seqlens[first], {}};
    for (std::size_t i = first; i <= first + count; ++i) p.borders.push_back(cu_seqlens[i] - cu_seqlens[first]);
    return p;
  }

  HeadShape shape;
  std::vector<std::int64_t> lengths;
  bool causal;
  Random random;
  std::int64_t M = 0;
  std::vector<std::int32_t> cu_seqlens;
  std::vector<float> q, k, v, do_;
};

/// Rows of several sequences in a cache: slots and positions in no order, and what the cache holds.
struct CachedAttentionProblem {
  explicit CachedAttentionProblem(HeadShape s, std::int64_t rows = 129, std::int64_t slot_positions = kCapacity)
      : shape(s), M(rows), capacity(slot_positions), random("cached " + text(s)) {
    q = random.normals(M * s.H * s.D, 1.5f);
    k = random.normals(kSlots * capacity * s.G * s.D, 1.5f);
    v = random.normals(kSlots * capacity * s.G * s.D);
    for (std::int64_t m = 0; m < M; ++m) {
      slots.push_back(std::int32_t(random.integer(0, kSlots)));
      positions.push_back(std::int32_t(m == 0 ? 0 : m == 1 ? capacity - 1 : random.integer(0, capacity)));
    }
  }

  Outputs run(Backend& backend, std::int64_t first, std::int64_t count) const {
    Array aq(backend, slice(q, shape.H * shape.D, first, count)), ak(backend, k), av(backend, v),
        o(backend, count * shape.H * shape.D);
    const KvView cache{ak.data(), av.data(), capacity};
    REQUIRE(backend
                .attention_cached(aq.data(), slots.data() + first, positions.data() + first, count,
                                  attention_shape(shape, true), cache, o.data())
                .ok());
    return {o.host()};
  }

  static constexpr std::int64_t kSlots = 5, kCapacity = 75;
  HeadShape shape;
  std::int64_t M, capacity;
  Random random;
  std::vector<float> q, k, v;
  std::vector<std::int32_t> slots, positions;
};

}  // namespace namesake::test
