// Names of tensors and modules, as the makers of the files write them.
#include "engine/tensor_names.h"

#include "doctest/doctest.h"
#include "engine/linear_layers.h"
#include "engine/lora_layout.h"

namespace namesake::test {

TEST_CASE("a role has the name that each maker gives it, or none") {
  CHECK(tensor_name(Naming::gguf, Role::embedding) == "token_embd.weight");
  CHECK(tensor_name(Naming::gguf, Role::q_bias, 3) == "blk.3.attn_q.bias");
  CHECK(tensor_name(Naming::gguf, Role::k_norm, 3) == "blk.3.attn_k_norm.weight");
  CHECK(tensor_name(Naming::gguf, Role::rope_factors) == "rope_freqs.weight");
  CHECK(tensor_name(Naming::gguf, Role::qkv, 3).empty());
  CHECK(tensor_name(Naming::hugging_face, Role::head) == "lm_head.weight");
  CHECK(tensor_name(Naming::hugging_face, Role::q_norm, 12) == "model.layers.12.self_attn.q_norm.weight");
  CHECK(tensor_name(Naming::hugging_face, Role::ffn_norm, 0) == "model.layers.0.post_attention_layernorm.weight");
  CHECK(tensor_name(Naming::hugging_face, Role::rope_factors).empty());
  CHECK(tensor_name(Naming::hugging_face_internlm2, Role::qkv, 0) == "model.layers.0.attention.wqkv.weight");
  CHECK(tensor_name(Naming::hugging_face_internlm2, Role::up, 1) == "model.layers.1.feed_forward.w3.weight");
  CHECK(tensor_name(Naming::hugging_face_internlm2, Role::q, 0).empty());
}

TEST_CASE("what old releases left in a file, and the head of a tied model, are not read; nothing else is passed over") {
  Config tied, untied;
  tied.tied = true;
  CHECK(is_unread(Naming::hugging_face, untied, "model.layers.0.self_attn.rotary_emb.inv_freq"));
  CHECK(is_unread(Naming::hugging_face, tied, "lm_head.weight"));
  CHECK_FALSE(is_unread(Naming::hugging_face, untied, "lm_head.weight"));
  CHECK_FALSE(is_unread(Naming::hugging_face, tied, "model.layers.0.self_attn.o_proj.bias"));
  CHECK_FALSE(is_unread(Naming::gguf, tied, "output.weight"));
}

TEST_CASE("factors are in the order of layers and linears, A before B, under PEFT's names") {
  Config llama, internlm2;
  llama.layers = internlm2.layers = 2;
  set_family(llama, Family::qwen3);
  set_family(internlm2, Family::internlm2);
  const auto keys = [](const Config& config) {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < lora_count(config, 0); ++i) {
      const LoraPart part = lora_part(config, 0, i);
      CHECK(lora_index(config, 0, part) == i);
      names.push_back(peft_key(config, part));
    }
    return names;
  };
  const std::vector<std::string> seven = keys(llama), five = keys(internlm2);
  const std::string prefix = "base_model.model.model.layers.";
  REQUIRE(seven.size() == 28);
  CHECK(seven[0] == prefix + "0.self_attn.q_proj.lora_A.weight");
  CHECK(seven[5] == prefix + "0.self_attn.v_proj.lora_B.weight");
  CHECK(seven[27] == prefix + "1.mlp.down_proj.lora_B.weight");
  REQUIRE(five.size() == 20);
  CHECK(five[0] == prefix + "0.attention.wqkv.lora_A.weight");
  CHECK(five[2] == prefix + "0.attention.wo.lora_A.weight");
  CHECK(five[4] == prefix + "0.feed_forward.w1.lora_A.weight");
  CHECK(five[6] == prefix + "0.feed_forward.w3.lora_A.weight");
  CHECK(five[19] == prefix + "1.feed_forward.w2.lora_B.weight");
  CHECK(module_name(Family::internlm2, Linear::o) == "wo");
  CHECK(module_name(Family::qwen2, Linear::o) == "o_proj");
}

}  // namespace namesake::test
