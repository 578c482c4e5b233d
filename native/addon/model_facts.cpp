#include "addon/model_facts.h"

#include <limits>
#include <memory>
#include <utility>
#include <variant>

#include "formats/gguf.h"
#include "formats/safetensors_model.h"

namespace namesake::addon {
namespace {

Status wrong_type(const std::string& key, const char* wanted) {
  return Status::error(Code::model_invalid, key + " is not " + wanted);
}

const GgufArray* array_of(const GgufFile& file, const std::string& key, Status& status) {
  const auto found = file.metadata().find(key);
  if (found == file.metadata().end()) return nullptr;
  const auto* array = std::get_if<GgufArray>(&found->second.value);
  if (array == nullptr) status = wrong_type(key, "a list");
  return array;
}

Status read_texts(const GgufFile& file, const std::string& key, std::vector<std::string>& out) {
  Status status;
  const GgufArray* array = array_of(file, key, status);
  if (array == nullptr) return status;
  out.reserve(array->size());
  for (const GgufValue& item : *array) {
    const auto* text = std::get_if<std::string>(&item.value);
    if (text == nullptr) return wrong_type(key, "a list of text");
    out.push_back(*text);
  }
  return {};
}

Status read_types(const GgufFile& file, const std::string& key, std::vector<std::int32_t>& out) {
  Status status;
  const GgufArray* array = array_of(file, key, status);
  if (array == nullptr) return status;
  out.reserve(array->size());
  for (const GgufValue& item : *array) {
    const auto* as_signed = std::get_if<std::int64_t>(&item.value);
    const auto* as_unsigned = std::get_if<std::uint64_t>(&item.value);
    if (as_signed == nullptr && as_unsigned == nullptr) return wrong_type(key, "a list of whole numbers");
    const std::int64_t type = as_signed != nullptr ? *as_signed : static_cast<std::int64_t>(*as_unsigned);
    if (type < 0 || type > std::numeric_limits<std::int32_t>::max()) return wrong_type(key, "a list of token types");
    out.push_back(static_cast<std::int32_t>(type));
  }
  return {};
}

Status read_scores(const GgufFile& file, const std::string& key, std::vector<double>& out) {
  Status status;
  const GgufArray* array = array_of(file, key, status);
  if (array == nullptr) return status;
  out.reserve(array->size());
  for (const GgufValue& item : *array) {
    if (const auto* real = std::get_if<double>(&item.value)) {
      out.push_back(*real);
    } else if (const auto* whole = std::get_if<std::int64_t>(&item.value)) {
      out.push_back(static_cast<double>(*whole));
    } else {
      return wrong_type(key, "a list of numbers");
    }
  }
  return {};
}

Status read_flag(const GgufFile& file, const std::string& key, std::optional<bool>& out) {
  if (file.metadata().find(key) == file.metadata().end()) return {};
  bool flag = false;
  if (!file.get_bool(key, flag)) return wrong_type(key, "true or false");
  out = flag;
  return {};
}

Status read_id(const GgufFile& file, const std::string& key, std::optional<std::uint64_t>& out) {
  if (file.metadata().find(key) == file.metadata().end()) return {};
  std::uint64_t id = 0;
  if (!file.get_u64(key, id)) return wrong_type(key, "a whole number");
  // Some writers say "none" as -1 in 32 bits.
  if (id != std::numeric_limits<std::uint32_t>::max()) out = id;
  return {};
}

Status read_text(const GgufFile& file, const std::string& key, std::optional<std::string>& out) {
  if (file.metadata().find(key) == file.metadata().end()) return {};
  std::string text;
  if (!file.get_string(key, text)) return wrong_type(key, "text");
  out = std::move(text);
  return {};
}

Status read_tokenizer(const GgufFile& file, TokenizerFacts& facts) {
  std::optional<std::string> model, pre;
  NAMESAKE_TRY(read_text(file, "tokenizer.ggml.model", model));
  NAMESAKE_TRY(read_text(file, "tokenizer.ggml.pre", pre));
  facts.model = model.value_or("");
  facts.pre = pre.value_or("");
  NAMESAKE_TRY(read_texts(file, "tokenizer.ggml.tokens", facts.tokens));
  NAMESAKE_TRY(read_texts(file, "tokenizer.ggml.merges", facts.merges));
  NAMESAKE_TRY(read_scores(file, "tokenizer.ggml.scores", facts.scores));
  NAMESAKE_TRY(read_types(file, "tokenizer.ggml.token_type", facts.token_types));
  NAMESAKE_TRY(read_id(file, "tokenizer.ggml.bos_token_id", facts.bos_id));
  NAMESAKE_TRY(read_id(file, "tokenizer.ggml.eos_token_id", facts.eos_id));
  NAMESAKE_TRY(read_id(file, "tokenizer.ggml.eot_token_id", facts.eot_id));
  NAMESAKE_TRY(read_id(file, "tokenizer.ggml.eom_token_id", facts.eom_id));
  NAMESAKE_TRY(read_id(file, "tokenizer.ggml.unknown_token_id", facts.unk_id));
  NAMESAKE_TRY(read_id(file, "tokenizer.ggml.padding_token_id", facts.pad_id));
  NAMESAKE_TRY(read_flag(file, "tokenizer.ggml.add_bos_token", facts.add_bos));
  NAMESAKE_TRY(read_flag(file, "tokenizer.ggml.add_space_prefix", facts.add_space_prefix));
  return read_text(file, "tokenizer.chat_template", facts.chat_template);
}

ModelFacts weight_facts(const WeightFile& file) {
  ModelFacts facts;
  facts.size_bytes = file.file_size();
  for (const StoredTensor& tensor : file.tensors()) {
    facts.parameters += tensor.matrix.rows * tensor.matrix.cols;
    ++facts.blocks[block_format(tensor.matrix.type).name];
  }
  return facts;
}

}  // namespace

Result<ModelFacts> read_model_facts(const std::string& path) {
  if (is_folder(path)) {
    const auto opened = SafetensorsModel::open(path);
    if (!opened.ok()) return opened.status();
    return weight_facts(*opened.value());
  }
  const auto opened = GgufFile::open(path);
  if (!opened.ok()) return opened.status();
  ModelFacts facts = weight_facts(*opened.value());
  NAMESAKE_TRY(read_tokenizer(*opened.value(), facts.tokenizer.emplace()));
  return facts;
}

}  // namespace namesake::addon
