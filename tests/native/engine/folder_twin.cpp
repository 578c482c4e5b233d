#include "engine/folder_twin.h"

#include "engine/golden.h"
#include "formats/gguf.h"
#include "formats/safetensors_builder.h"

namespace namesake::test {

namespace {

/// Written out here, so that the engine's own table is tested against it.
const std::map<std::string, std::string> kGlobals = {{"token_embd.weight", "model.embed_tokens.weight"},
                                                     {"output_norm.weight", "model.norm.weight"},
                                                     {"output.weight", "lm_head.weight"}};
const std::map<std::string, std::string> kOfLayer = {
    {"attn_norm", "input_layernorm"},      {"attn_q", "self_attn.q_proj"}, {"attn_k", "self_attn.k_proj"},
    {"attn_v", "self_attn.v_proj"},        {"attn_output", "self_attn.o_proj"}, {"ffn_norm", "post_attention_layernorm"},
    {"ffn_gate", "mlp.gate_proj"},         {"ffn_up", "mlp.up_proj"},      {"ffn_down", "mlp.down_proj"}};

std::string hugging_face_name(const std::string& name) {
  if (kGlobals.contains(name)) return kGlobals.at(name);
  const std::size_t layer = name.find('.') + 1, part = name.find('.', layer) + 1;  // blk.LAYER.PART.weight
  const std::size_t end = name.rfind('.');
  return "model.layers." + name.substr(layer, part - layer) + kOfLayer.at(name.substr(part, end - part)) + name.substr(end);
}

/// The row of the GGUF tensor that is row r of Hugging Face's: pairs (2i, 2i+1) of a head become (i, i + D/2).
std::int64_t gguf_row(std::int64_t r, std::int64_t head_dim) {
  const std::int64_t in_head = r % head_dim, half = head_dim / 2;
  return r - in_head + 2 * (in_head % half) + in_head / half;
}

TwinTensor twin_tensor(const StoredTensor& stored, std::int64_t head_dim) {
  const Matrix& matrix = stored.matrix;
  const bool whole = matrix.type == BlockType::f16 || matrix.type == BlockType::bf16;
  const bool paired = stored.name.find("attn_q.") != std::string::npos || stored.name.find("attn_k.") != std::string::npos;
  TwinTensor twin{whole ? (matrix.type == BlockType::f16 ? "F16" : "BF16") : "F32", stored.shape, {}};
  std::vector<float> values(static_cast<std::size_t>(matrix.cols));
  for (std::int64_t r = 0; r < matrix.rows; ++r) {
    const std::int64_t from = paired ? gguf_row(r, head_dim) : r;
    if (whole) {
      twin.bytes.append(reinterpret_cast<const char*>(matrix.row(from)), static_cast<std::size_t>(row_bytes(matrix.type, matrix.cols)));
    } else {
      decode_row(matrix, from, values.data());
      twin.bytes.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
    }
  }
  return twin;
}

}  // namespace

FolderTwin folder_twin(const std::string& name) {
  const auto file = must(GgufFile::open(fixture(name + ".gguf")));
  const Config config = open_model(name, make_reference_backend())->config();
  FolderTwin twin;
  for (const StoredTensor& tensor : file->tensors()) twin.tensors[hugging_face_name(tensor.name)] = twin_tensor(tensor, config.head_dim);
  const auto number = [](std::int64_t value) { return std::to_string(value); };
  twin.config = {{"model_type", "\"llama\""},
                 {"vocab_size", number(config.vocab)},
                 {"hidden_size", number(config.hidden)},
                 {"intermediate_size", number(config.ffn)},
                 {"num_hidden_layers", number(config.layers)},
                 {"num_attention_heads", number(config.heads)},
                 {"num_key_value_heads", number(config.kv_heads)},
                 {"head_dim", number(config.head_dim)},
                 {"max_position_embeddings", number(config.context)},
                 {"hidden_act", "\"silu\""},
                 {"rms_norm_eps", "1e-05"},
                 {"rope_parameters", R"({"rope_theta":)" + std::to_string(config.rope_theta) + R"(,"rope_type":"default"})"},
                 {"attention_bias", "false"},
                 {"mlp_bias", "false"},
                 {"tie_word_embeddings", config.tied ? "true" : "false"}};
  REQUIRE(config.rms_eps == 1e-5f);
  return twin;
}

void FolderTwin::write(const TemporaryFolder& folder) const {
  std::string json;
  for (const auto& [key, value] : config) json += (json.empty() ? "{\"" : ",\"") + key + "\":" + value;
  write_text(folder / "config.json", json + "}");
  std::vector<SafetensorsBuilder> files(static_cast<std::size_t>(shards));
  const auto file_name = [&](std::size_t shard) {
    return shards == 1 ? std::string("model.safetensors") : "model-" + std::to_string(shard) + ".safetensors";
  };
  std::string map;
  std::size_t next = 0;
  for (const auto& [name, tensor] : tensors) {
    const std::size_t shard = next++ % files.size();
    files[shard].tensor(name, tensor.dtype, tensor.shape, tensor.bytes);
    map += (map.empty() ? "{\"" : ",\"") + name + "\":\"" + file_name(shard) + "\"";
  }
  for (std::size_t shard = 0; shard < files.size(); ++shard) {
    files[shard].padding = padding;
    write_text(folder / file_name(shard), files[shard].build());
  }
  if (shards > 1) write_text(folder / "model.safetensors.index.json", R"({"metadata":{},"weight_map":)" + map + "}}");
}

}  // namespace namesake::test
