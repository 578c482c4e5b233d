// Generator: prompts in packed chunks, then one token per sequence and step; finished sequences make room for waiting ones.
#include "namesake/generator.h"

#include <algorithm>

#include "engine/generation_room.h"
#include "engine/sampler.h"
#include "engine/stopwatch.h"
#include "namesake/cancel_scope.h"

namespace namesake {

namespace {

/// Of so many slots one has to be free before prompts are computed while others speak.
constexpr std::int64_t kSlotsToFreeOne = 4;

Status check_request(const GenerateRequest& request, std::size_t index, const Config& config) {
  const auto where = [&](std::string what) { return "request " + std::to_string(index) + ": " + what; };
  if (request.prompt.empty()) return Status::error(Code::rows_invalid, where("the prompt is empty"));
  if (request.max_tokens < 0) return Status::error(Code::rows_invalid, where("max_tokens is negative"));
  for (std::int32_t id : request.prompt) {
    if (id < 0 || id >= config.vocab) {
      return Status::error(Code::rows_invalid, where("token " + std::to_string(id) + " is not in the vocabulary of " +
                                                     std::to_string(config.vocab)));
    }
  }
  const std::int64_t prompt = static_cast<std::int64_t>(request.prompt.size());
  if (prompt > config.context || request.max_tokens > config.context - prompt) {
    return Status::error(Code::context_overflow, where("a prompt of " + std::to_string(prompt) + " tokens and " +
                                                       std::to_string(request.max_tokens) + " more exceed the context of " +
                                                       std::to_string(config.context)));
  }
  if (Status status = check_sampling(request.sampling); !status.ok()) return Status::error(status.code, where(status.message));
  return {};
}

/// Length of what all of these prompts start with; each keeps at least its last token for itself, whose logits are wanted.
std::size_t common_prefix(const std::vector<const GenerateRequest*>& requests) {
  const std::vector<std::int32_t>& first = requests.front()->prompt;
  std::size_t length = first.size() - 1;
  for (const GenerateRequest* request : requests) {
    length = std::min(length, request->prompt.size() - 1);
    length = static_cast<std::size_t>(
        std::mismatch(first.begin(), first.begin() + static_cast<std::ptrdiff_t>(length), request->prompt.begin()).first -
        first.begin());
  }
  return length;
}

using OnToken = std::function<void(std::size_t, std::int32_t)>;

/// One call of Generator::run.
class Run {
 public:
  Run(const Model& model, const Adapter* adapter, GenerationRoom& room, GenerateTimes& times, const std::vector<GenerateRequest>& requests,
      const OnToken& on_token, const std::atomic<bool>* cancel, std::vector<GenerateResult>& results)
      : config_(model.config()), adapter_(adapter), room_(room), times_(times), requests_(requests), on_token_(on_token), cancel_(cancel),
        results_(results) {}

  /// Code::cancelled leaves StopReason::cancelled in the results that are not finished.
  Status all(std::int64_t slots) {
    NAMESAKE_TRY(prepare(slots));
    const ScratchScope scratch = room_.scratch();
    for (int state : {0, 1}) NAMESAKE_TRY(compute_prefix(prefixes_[state], state == 1));
    while (next_ < requests_.size() || !active_.empty()) {
      NAMESAKE_TRY(admit());
      NAMESAKE_TRY(step());
    }
    return {};
  }

 private:
  struct Sequence {
    std::size_t request;
    std::int64_t slot;
    std::int64_t length;  // positions in the cache
    Sampler sampler;
    bool finished = false;
  };
  struct Prefix {
    std::vector<std::int32_t> ids;
    std::int64_t slot = 0;
  };

  bool adapter_on(const GenerateRequest& request) const { return request.adapter && adapter_; }

  Status check_cancel() const {
    if (cancel_ && cancel_->load()) return Status::error(Code::cancelled, "cancelled between tokens");
    return {};
  }

  /// Finds shared prefixes and makes room for everything.
  Status prepare(std::int64_t slots) {
    std::int64_t capacity = 0, prompt_rows = 0, count = 0;
    std::vector<const GenerateRequest*> by_state[2];
    for (const GenerateRequest& request : requests_) {
      if (request.max_tokens == 0) continue;
      const std::int64_t prompt = static_cast<std::int64_t>(request.prompt.size());
      by_state[adapter_on(request)].push_back(&request);
      capacity = std::max(capacity, prompt + request.max_tokens);
      prompt_rows += prompt;
      ++count;
    }
    slots = std::min(slots, count);
    const std::int64_t answering = slots;
    for (int state : {0, 1}) {
      if (by_state[state].size() < 2 || room_.keeps()) continue;
      const auto& prompt = by_state[state].front()->prompt;
      prefixes_[state].ids.assign(prompt.begin(),
                                  prompt.begin() + static_cast<std::ptrdiff_t>(common_prefix(by_state[state])));
      if (!prefixes_[state].ids.empty()) prefixes_[state].slot = slots++;
    }
    const GenerationShape shape{slots, capacity, std::max(std::min(kPromptChunk, prompt_rows), slots),
                                adapter_ ? adapter_->shape().rank : 0};
    return room_.reserve(config_, shape, answering);
  }

  Status compute_prefix(const Prefix& prefix, bool on) {
    const TimedScope timed(times_.prefill_seconds);
    const std::int64_t length = static_cast<std::int64_t>(prefix.ids.size());
    for (std::int64_t first = 0; first < length; first += kPromptChunk) {
      NAMESAKE_TRY(check_cancel());
      DecodeRows rows;
      for (std::int64_t i = first; i < std::min(first + kPromptChunk, length); ++i) {
        rows.add(prefix.ids[static_cast<std::size_t>(i)], prefix.slot, i, on);
      }
      NAMESAKE_TRY(room_.graph().forward(rows, adapter_, room_.cache(), DecodeGraph::Part::prompt, logits_));
    }
    times_.prompt_tokens += length;
    return {};
  }

  /// Gives free slots to waiting requests, computes their prompts and their first tokens. While others speak, some wait for each
  /// other: decoding takes little longer for rows that it lacks than a pass over the weights for a short prompt alone.
  Status admit() {
    const std::int64_t waiting = static_cast<std::int64_t>(requests_.size() - next_);
    const std::int64_t free = room_.prompts().free();
    if (!active_.empty() && free < waiting && free * kSlotsToFreeOne < room_.prompts().slots()) return {};
    const TimedScope timed(times_.prefill_seconds);
    const std::size_t first_new = active_.size();
    for (; next_ < requests_.size(); ++next_) {
      const GenerateRequest& request = requests_[next_];
      if (request.max_tokens == 0) {
        results_[next_].reason = StopReason::length;
        continue;
      }
      if (room_.prompts().free() == 0) break;
      const PromptCache::Place place = room_.prompts().take(request.prompt, adapter_on(request));
      const Prefix& prefix = prefixes_[adapter_on(request)];
      const std::int64_t shared = static_cast<std::int64_t>(prefix.ids.size());
      active_.push_back({next_, place.slot, std::max(shared, place.kept), Sampler(request.sampling, request.prompt)});
      if (shared) NAMESAKE_TRY(room_.cache().copy_prefix(prefix.slot, place.slot, shared));
    }

    DecodeRows rows;
    std::vector<std::size_t> owners;  // sequences of the wanted rows
    const auto flush = [&]() -> Status {
      NAMESAKE_TRY(check_cancel());
      NAMESAKE_TRY(room_.graph().forward(rows, adapter_, room_.cache(), DecodeGraph::Part::prompt, logits_));
      times_.prompt_tokens += rows.size();
      for (std::size_t owner : owners) {
        if (room_.keeps()) room_.prompts().keep(active_[owner].slot, requests_[active_[owner].request].prompt);
      }
      NAMESAKE_TRY(accept(owners));
      rows = {};
      owners.clear();
      return {};
    };
    for (std::size_t i = first_new; i < active_.size(); ++i) {
      Sequence& sequence = active_[i];
      const GenerateRequest& request = requests_[sequence.request];
      const std::int64_t length = static_cast<std::int64_t>(request.prompt.size());
      for (; sequence.length < length; ++sequence.length) {
        if (rows.size() == kPromptChunk) NAMESAKE_TRY(flush());
        if (sequence.length + 1 == length) {
          rows.wanted.push_back(rows.size());
          owners.push_back(i);
        }
        rows.add(request.prompt[static_cast<std::size_t>(sequence.length)], sequence.slot, sequence.length,
                 adapter_on(request));
      }
    }
    if (rows.size()) NAMESAKE_TRY(flush());
    retire();
    return {};
  }

  /// One more token for every active sequence.
  Status step() {
    if (active_.empty()) return {};
    const TimedScope timed(times_.decode_seconds);
    NAMESAKE_TRY(check_cancel());
    DecodeRows rows;
    std::vector<std::size_t> owners;
    for (std::size_t i = 0; i < active_.size(); ++i) {
      Sequence& sequence = active_[i];
      rows.wanted.push_back(rows.size());
      rows.add(results_[sequence.request].tokens.back(), sequence.slot, sequence.length++,
               adapter_on(requests_[sequence.request]));
      owners.push_back(i);
    }
    NAMESAKE_TRY(room_.graph().forward(rows, adapter_, room_.cache(), DecodeGraph::Part::answer, logits_));
    NAMESAKE_TRY(accept(owners));
    retire();
    return {};
  }

  /// Samples the next token of each owner from its row of the logits.
  Status accept(const std::vector<std::size_t>& owners) {
    for (std::size_t i = 0; i < owners.size(); ++i) {
      Sequence& sequence = active_[owners[i]];
      const GenerateRequest& request = requests_[sequence.request];
      GenerateResult& result = results_[sequence.request];
      const std::size_t V = static_cast<std::size_t>(config_.vocab);
      const std::optional<std::int32_t> token = sequence.sampler.next({logits_.data() + i * V, V});
      if (!token) {
        return Status::error(adapter_on(request) ? Code::adapter_invalid : Code::model_invalid,
                             "request " + std::to_string(sequence.request) + ": the logits are not finite");
      }
      if (std::find(request.stop.begin(), request.stop.end(), *token) != request.stop.end()) {
        result.reason = StopReason::stop;
        sequence.finished = true;
        continue;
      }
      result.tokens.push_back(*token);
      ++times_.tokens;
      if (on_token_) on_token_(sequence.request, *token);
      if (static_cast<std::int64_t>(result.tokens.size()) == request.max_tokens) {
        result.reason = StopReason::length;
        sequence.finished = true;
      }
    }
    return {};
  }

  void retire() {
    for (const Sequence& sequence : active_) {
      if (sequence.finished) room_.prompts().give_back(sequence.slot);
    }
    std::erase_if(active_, [](const Sequence& sequence) { return sequence.finished; });
  }

  const Config& config_;
  const Adapter* adapter_;
  GenerationRoom& room_;
  GenerateTimes& times_;
  const std::vector<GenerateRequest>& requests_;
  const OnToken& on_token_;
  const std::atomic<bool>* cancel_;
  std::vector<GenerateResult>& results_;
  Prefix prefixes_[2];               // by adapter off, on
  std::vector<Sequence> active_;
  std::size_t next_ = 0;             // first waiting request
  std::vector<float> logits_;
};

class CachedGenerator final : public Generator {
 public:
  CachedGenerator(std::shared_ptr<Model> model, std::shared_ptr<Adapter> adapter, std::int64_t slots, Asked asked)
      : model_(std::move(model)), adapter_(std::move(adapter)), slots_(slots), room_(*model_, asked) {}

  void set_adapter(std::shared_ptr<Adapter> adapter) override {
    adapter_ = std::move(adapter);
    room_.forget();
  }

  Result<std::vector<GenerateResult>> run(const std::vector<GenerateRequest>& requests, const OnToken& on_token,
                                          const std::atomic<bool>* cancel) override {
    times_ = {};
    for (std::size_t i = 0; i < requests.size(); ++i) NAMESAKE_TRY(check_request(requests[i], i, model_->config()));
    std::vector<GenerateResult> results(requests.size());
    for (GenerateResult& result : results) result.reason = StopReason::cancelled;
    CancelScope scope(model_->backend(), cancel);
    Run run(*model_, adapter_.get(), room_, times_, requests, on_token, cancel, results);
    const Status status = run.all(slots_);
    room_.leave();
    if (status.ok() || status.code == Code::cancelled) return results;
    room_.forget();
    return status;
  }

  GenerateTimes times() const override { return times_; }

 private:
  std::shared_ptr<Model> model_;
  std::shared_ptr<Adapter> adapter_;
  std::int64_t slots_;
  GenerationRoom room_;
  GenerateTimes times_;
};

}  // namespace

Result<std::unique_ptr<Generator>> Generator::create(std::shared_ptr<Model> model, std::shared_ptr<Adapter> adapter,
                                                     std::int64_t slots, Asked asked) {
  if (slots < 1 || slots > kMostSlots) {
    return Status::error(Code::recipe_unsupported, "slots must be between 1 and " + std::to_string(kMostSlots));
  }
  return std::unique_ptr<Generator>(new CachedGenerator(std::move(model), std::move(adapter), slots, asked));
}

}  // namespace namesake
