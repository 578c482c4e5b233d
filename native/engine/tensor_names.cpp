// See engine/tensor_names.h. Names as transformers and llama.cpp's converters write them.
#include "engine/tensor_names.h"

#include <iterator>

namespace namesake {

namespace {

constexpr std::size_t kNamings = 3;

/// In the order of Role, then Naming; nullptr where there is none. A layer's names follow its prefix.
constexpr const char* kNames[][kNamings] = {
    {"token_embd.weight", "model.embed_tokens.weight", "model.tok_embeddings.weight"},
    {"output_norm.weight", "model.norm.weight", "model.norm.weight"},
    {"output.weight", "lm_head.weight", "output.weight"},
    {"rope_freqs.weight", nullptr, nullptr},
    {"attn_norm.weight", "input_layernorm.weight", "attention_norm.weight"},
    {"attn_q.weight", "self_attn.q_proj.weight", nullptr},
    {"attn_k.weight", "self_attn.k_proj.weight", nullptr},
    {"attn_v.weight", "self_attn.v_proj.weight", nullptr},
    {nullptr, nullptr, "attention.wqkv.weight"},
    {"attn_q.bias", "self_attn.q_proj.bias", nullptr},
    {"attn_k.bias", "self_attn.k_proj.bias", nullptr},
    {"attn_v.bias", "self_attn.v_proj.bias", nullptr},
    {"attn_q_norm.weight", "self_attn.q_norm.weight", nullptr},
    {"attn_k_norm.weight", "self_attn.k_norm.weight", nullptr},
    {"attn_output.weight", "self_attn.o_proj.weight", "attention.wo.weight"},
    {"ffn_norm.weight", "post_attention_layernorm.weight", "ffn_norm.weight"},
    {"ffn_gate.weight", "mlp.gate_proj.weight", "feed_forward.w1.weight"},
    {"ffn_up.weight", "mlp.up_proj.weight", "feed_forward.w3.weight"},
    {"ffn_down.weight", "mlp.down_proj.weight", "feed_forward.w2.weight"},
};
static_assert(std::size(kNames) == static_cast<std::size_t>(Role::down) + 1);

}  // namespace

Naming hugging_face_naming(Family family) {
  return family == Family::internlm2 ? Naming::hugging_face_internlm2 : Naming::hugging_face;
}

Role role_of(Linear linear) {
  switch (linear) {
    case Linear::q: return Role::q;
    case Linear::k: return Role::k;
    case Linear::v: return Role::v;
    case Linear::qkv: return Role::qkv;
    case Linear::o: return Role::o;
    case Linear::gate: return Role::gate;
    case Linear::up: return Role::up;
    case Linear::down: break;
  }
  return Role::down;
}

std::string tensor_name(Naming naming, Role role, std::int64_t layer) {
  const char* name = kNames[static_cast<std::size_t>(role)][static_cast<std::size_t>(naming)];
  if (!name) return {};
  if (role < Role::attn_norm) return name;
  return (naming == Naming::gguf ? "blk." : "model.layers.") + std::to_string(layer) + "." + name;
}

bool is_unread(Naming naming, const Config& config, const std::string& name) {
  if (naming == Naming::gguf) return false;
  // transformers before 4.32 saved the frequencies, which follow from the config.
  if (name.ends_with(".rotary_emb.inv_freq")) return true;
  return config.tied && name == tensor_name(naming, Role::head);
}

}  // namespace namesake
