// Tensor names: which tensor of a file plays which role in the graph.
#pragma once

#include <cstdint>
#include <string>

#include "namesake/model.h"

namespace namesake {

/// Who named the tensors: GGUF (ggml-org/ggml docs/gguf.md), or transformers' code of the family.
enum class Naming : std::uint8_t { gguf, hugging_face, hugging_face_internlm2 };

/// What transformers calls the tensors of this family.
Naming hugging_face_naming(Family family);

/// What a tensor is for. Those from attn_norm on belong to a layer.
enum class Role : std::uint8_t {
  embedding, output_norm, head, rope_factors,
  attn_norm, q, k, v, qkv, q_bias, k_bias, v_bias, q_norm, k_norm, o, ffn_norm, gate, up, down
};
Role role_of(Linear linear);

/// "blk.3.attn_q.weight", "model.layers.3.self_attn.q_proj.weight"; `layer` counts where the role belongs to one. Empty where the
/// naming has no such tensor: rope_factors and qkv are not in every one.
std::string tensor_name(Naming naming, Role role, std::int64_t layer = 0);

/// Tensors that files of this naming may hold and nothing reads: buffers of old releases, a head that a tied model does not use.
bool is_unread(Naming naming, const Config& config, const std::string& name);

}  // namespace namesake
