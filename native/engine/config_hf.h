// Config of a folder in Hugging Face layout: its config.json, read as transformers' own classes of the same model_type read it.
#pragma once

#include <string>

#include "formats/json.h"
#include "namesake/model.h"

namespace namesake {

/// The config that `json` (config.json) states, for model_type llama, mistral, qwen2, qwen3 and internlm2.
/// model.unknown_architecture for another model_type or an option that is not computed here; model.unknown_block for quantised
/// weights; model.invalid for a field that is missing, out of range or at odds with another. No field has a default, but where
/// null or absence itself has one meaning: head_dim (hidden_size / num_attention_heads; not of qwen3), num_key_value_heads of
/// llama and internlm2 (as many as heads), rope_scaling (none), and switches that are off.
Result<Config> read_hf_config(const JsonObject& json);
/// The same from `folder`/config.json; model.unreadable where it cannot be read.
Result<Config> read_hf_config(const std::string& folder);

}  // namespace namesake
