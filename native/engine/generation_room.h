// GenerationRoom: where the sequences of a generator decode, and what of their prompts is kept there from call to call.
#pragma once

#include <algorithm>
#include <string>

#include "engine/arena.h"
#include "engine/decode_graph.h"
#include "engine/kv_cache.h"
#include "engine/memory_plan.h"
#include "engine/prompt_cache.h"
#include "namesake/generator.h"

namespace namesake {

class GenerationRoom {
 public:
  GenerationRoom(const Model& model, Asked asked)
      : arena_(model.shared_backend()), graph_(model, asked == Asked::together ? Phase::prefill : Phase::decode),
        cache_(model.backend(), model.config()), keeps_(asked == Asked::in_conversation) {}

  /// Makes room for such a shape, whose first `answering` slots are for answers, and forgets what was kept unless it can stay. The
  /// codes of Arena::reserve.
  Status reserve(const Config& config, GenerationShape shape, std::int64_t answering) {
    prompts_.give_all_back();
    if (!keeps_) return take(config, shape, answering);
    const bool fits = shape.slots <= shape_.slots && shape.capacity <= shape_.capacity && shape.rows <= shape_.rows && shape.rank == shape_.rank;
    if (fits && arena_.capacity() > 0) return {};
    // Growing forgets: with half as much again, the longer a conversation, the rarer it is computed anew.
    GenerationShape roomy = shape;
    roomy.slots = std::max(shape.slots, shape_.slots);
    roomy.rows = std::max(kPromptChunk, roomy.slots);
    roomy.capacity = std::min(config.context, shape.capacity + std::max(kSpare, shape.capacity / 2));
    return take(config, roomy, roomy.slots).ok() ? Status{} : take(config, shape, answering);
  }

  /// After a call. What is kept stays only where that was asked for.
  void leave() {
    if (!keeps_) arena_.release();
  }
  void forget() {
    arena_.release();
    shape_ = {};
  }

  ScratchScope scratch() { return {arena_.backend(), scratch_, memory_.scratch}; }
  bool keeps() const { return keeps_; }
  DecodeGraph& graph() { return graph_; }
  KvCache& cache() { return cache_; }
  PromptCache& prompts() { return prompts_; }

 private:
  static constexpr std::int64_t kSpare = 256;  // positions

  Status take(const Config& config, const GenerationShape& shape, std::int64_t answering) {
    shape_ = {};
    memory_ = generation_memory(config, arena_.backend(), shape);
    NAMESAKE_TRY(arena_.reserve(memory_.total(), std::to_string(shape.slots) + " answers of up to " + std::to_string(shape.capacity) + " tokens"));
    float *cache = nullptr, *work = nullptr;
    NAMESAKE_TRY(arena_.take(cache, memory_.cache, "keys and values"));
    NAMESAKE_TRY(arena_.take(work, memory_.work, "activations"));
    NAMESAKE_TRY(arena_.take(scratch_, memory_.scratch, "scratch"));
    cache_.place(cache, shape.slots, shape.capacity);
    graph_.place(work, shape.rows, shape.slots, shape.rank);
    prompts_.reset(answering);
    shape_ = shape;
    return {};
  }

  Arena arena_;
  DecodeGraph graph_;
  KvCache cache_;
  PromptCache prompts_;
  bool keeps_;
  GenerationShape shape_;
  GenerationMemory memory_;
  std::byte* scratch_ = nullptr;
};

}  // namespace namesake
