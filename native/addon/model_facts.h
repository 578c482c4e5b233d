// Model facts: what a model's files say beside its weights: sizes, block formats; of a GGUF file tokenizer and chat template too.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "namesake/status.h"

namespace namesake::addon {

/// The tokenizer.* keys as they stand in the file; absent texts are empty, absent lists too. What they mean, and whether
/// they make a tokenizer, is the pipeline's business.
struct TokenizerFacts {
  std::string model, pre;
  std::vector<std::string> tokens, merges;
  std::vector<double> scores;
  std::vector<std::int32_t> token_types;
  std::optional<std::uint64_t> bos_id, eos_id, eot_id, eom_id, unk_id, pad_id;
  std::optional<bool> add_bos, add_space_prefix;
  std::optional<std::string> chat_template;
};

struct ModelFacts {
  std::uint64_t size_bytes = 0;                ///< of the files that hold weights
  std::int64_t parameters = 0;                 ///< values of all tensors; a tied head counts once
  std::map<std::string, std::int64_t> blocks;  ///< block format → tensors stored in it
  std::optional<TokenizerFacts> tokenizer;     ///< none for a folder: its tokenizer files are the host's to read
};

/// Reads them, of a GGUF file or a folder in Hugging Face layout. The codes of GgufFile::open or SafetensorsModel::open, and
/// model.invalid for a tokenizer key of the wrong type.
Result<ModelFacts> read_model_facts(const std::string& path);

}  // namespace namesake::addon
