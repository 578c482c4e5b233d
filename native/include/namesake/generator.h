// Generator: batched decoding with a KV cache; the adapter is on or off per sequence, from one copy of the weights.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "namesake/model.h"

namespace namesake {

/// temperature 0 = greedy. Filters apply in this order: repetition penalty, temperature, top-k, top-p, min-p.
struct Sampling {
  float temperature = 0;
  std::int64_t top_k = 0;              ///< 0 = off
  float top_p = 1;                     ///< 1 = off
  float min_p = 0;                     ///< 0 = off
  float repetition_penalty = 1;        ///< CTRL's (Keskar et al. 2019), over prompt and answer; 1 = off
  std::uint64_t seed = 0;              ///< Philox keyed (seed, token index): the same for before and after
};

struct GenerateRequest {
  std::vector<std::int32_t> prompt;
  std::int64_t max_tokens = 0;
  std::vector<std::int32_t> stop;      ///< token ids that end the answer (not reported)
  Sampling sampling;
  bool adapter = true;                 ///< off = the base model
};

enum class StopReason { stop, length, cancelled };

struct GenerateResult {
  std::vector<std::int32_t> tokens;    ///< without the stop token
  StopReason reason = StopReason::length;
};

/// Times of one call, for reports.
struct GenerateTimes {
  std::int64_t prompt_tokens = 0, tokens = 0;   ///< prompt tokens computed (a shared prefix counts once, what was kept does not)
  double prefill_seconds = 0, decode_seconds = 0;
};

/// How a generator is asked. It decides how a new token of each sequence is multiplied, and so its rounding; prompts are computed alike.
enum class Asked {
  alone,            ///< by dot products straight from the blocks: the least time for a token of one or two sequences
  in_conversation,  ///< as alone, the same bits. Between calls it holds its memory and what was computed of the last prompts, so that
                    ///< the next call computes only what was added to them
  together,         ///< by the prompts' matrix products: the least time for a token of each of dozens
};

class Generator {
 public:
  /// `slots` sequences decode side by side; capacity grows to what requests need. adapter may be nullptr.
  static Result<std::unique_ptr<Generator>> create(std::shared_ptr<Model> model, std::shared_ptr<Adapter> adapter,
                                                   std::int64_t slots, Asked asked = Asked::alone);
  virtual ~Generator() = default;

  /// Another adapter (or none) for the following calls. Forgets what was kept.
  virtual void set_adapter(std::shared_ptr<Adapter> adapter) = 0;

  /// Runs all requests; finished sequences make room for waiting ones; prefixes shared by all requests of one adapter state
  /// are computed once (not in a conversation). on_token(request index, token) is called in order from the calling thread. A request's answer does
  /// not depend on the others. context.overflow when prompt + max_tokens exceed the model's context; rows.invalid for ids
  /// out of range. Cancelled: finished and partial answers are returned with StopReason::cancelled.
  virtual Result<std::vector<GenerateResult>> run(const std::vector<GenerateRequest>& requests,
                                                  const std::function<void(std::size_t, std::int32_t)>& on_token,
                                                  const std::atomic<bool>* cancel) = 0;
  virtual GenerateTimes times() const = 0;   ///< of the last run
};

}  // namespace namesake
