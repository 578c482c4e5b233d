// PromptCache: which beginnings of prompts lie in a generator's slots, so that a conversation that goes on computes what was added.
// Only what a prompt pass computed is kept, never what was decoded: the next answer then has the bits that it would have without.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace namesake {

class PromptCache {
 public:
  /// A slot for a prompt, and how many of its first positions are there already.
  struct Place {
    std::int64_t slot = 0;
    std::int64_t kept = 0;
  };

  /// Nothing is kept in any of `slots` from here on.
  void reset(std::int64_t slots) { slots_.assign(static_cast<std::size_t>(slots), {}); }

  /// A free slot: that with most of the prompt's beginning, computed with the adapter on or off as the prompt will be; of several
  /// the one that loses least. The prompt's last token counts as not there, since its logits are wanted. One slot must be free.
  Place take(const std::vector<std::int32_t>& prompt, bool adapter_on) {
    Place best{-1, 0};
    std::size_t lost = 0;  // of what is kept in the best slot
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      const Slot& slot = slots_[i];
      if (slot.taken) continue;
      const std::int64_t kept = slot.adapter_on == adapter_on ? common(slot.ids, prompt) : 0;
      if (best.slot >= 0 && (kept < best.kept || (kept == best.kept && slot.ids.size() >= lost))) continue;
      best = {static_cast<std::int64_t>(i), kept};
      lost = slot.ids.size();
    }
    Slot& slot = slots_[static_cast<std::size_t>(best.slot)];
    slot.taken = true;
    slot.adapter_on = adapter_on;
    slot.ids.resize(static_cast<std::size_t>(best.kept));
    return best;
  }

  /// The whole prompt is in a slot that was taken.
  void keep(std::int64_t slot, const std::vector<std::int32_t>& prompt) { slots_[static_cast<std::size_t>(slot)].ids = prompt; }

  void give_back(std::int64_t slot) { slots_[static_cast<std::size_t>(slot)].taken = false; }
  void give_all_back() {
    for (Slot& slot : slots_) slot.taken = false;
  }
  std::int64_t slots() const { return static_cast<std::int64_t>(slots_.size()); }
  std::int64_t free() const {
    return std::count_if(slots_.begin(), slots_.end(), [](const Slot& slot) { return !slot.taken; });
  }

 private:
  struct Slot {
    std::vector<std::int32_t> ids;  // at positions 0.. of the slot
    bool adapter_on = false;
    bool taken = false;
  };

  static std::int64_t common(const std::vector<std::int32_t>& ids, const std::vector<std::int32_t>& prompt) {
    const auto last = ids.begin() + static_cast<std::ptrdiff_t>(std::min(ids.size(), prompt.size() - 1));
    return std::mismatch(ids.begin(), last, prompt.begin()).first - ids.begin();
  }

  std::vector<Slot> slots_;
};

}  // namespace namesake
