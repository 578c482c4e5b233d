// Workload of a model: the sizes that all calls of its graph share.
#pragma once

#include "namesake/model.h"

namespace namesake {

/// The model's own sizes; rows, sequences and the rest are the caller's to fill in.
inline Workload workload_of(const Config& config, std::int64_t rank) {
  Workload work;
  work.hidden = config.hidden;
  work.ffn = config.ffn;
  work.heads = config.heads;
  work.kv_heads = config.kv_heads;
  work.head_dim = config.head_dim;
  work.vocab = config.vocab;
  work.fused_qkv = config.fused_qkv;
  work.rank = rank;
  work.f32_matrices = config.f32_matrices;
  return work;
}

}  // namespace namesake
