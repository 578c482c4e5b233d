// See engine/sampler.h. Filters in the order of Sampling: repetition penalty, temperature, top-k, top-p, min-p.
#include "engine/sampler.h"

#include <algorithm>
#include <cmath>

#include "engine/philox.h"

namespace namesake {

namespace {

constexpr std::uint64_t kSamplingStream = std::uint64_t{1} << 33;  // beyond the streams of adapter tensors

struct Candidate {
  std::int32_t id;
  double weight;  // exp((logit - most) / temperature): 1 for the likeliest
};

/// Heap order: the likeliest on top, the lowest id among equals.
bool less_likely(const Candidate& a, const Candidate& b) { return a.weight != b.weight ? a.weight < b.weight : a.id > b.id; }

/// The fewest of the likeliest candidates, sorted, that are `count` or reach `mass` of weight.
std::vector<Candidate> likeliest(std::vector<Candidate> all, std::size_t count, double mass) {
  std::make_heap(all.begin(), all.end(), less_likely);
  std::vector<Candidate> kept;
  double sum = 0;
  while (!all.empty() && kept.size() < count && (kept.empty() || sum < mass)) {
    std::pop_heap(all.begin(), all.end(), less_likely);
    kept.push_back(all.back());
    sum += all.back().weight;
    all.pop_back();
  }
  return kept;
}

double total(const std::vector<Candidate>& candidates) {
  double sum = 0;
  for (const Candidate& c : candidates) sum += c.weight;
  return sum;
}

}  // namespace

Status check_sampling(const Sampling& s) {
  const auto bad = [](const char* what) { return Status::error(Code::rows_invalid, what); };
  if (!(s.temperature >= 0) || !std::isfinite(s.temperature)) return bad("temperature must be 0 or more");
  if (s.top_k < 0) return bad("top_k must be 0 or more");
  if (!(s.top_p >= 0 && s.top_p <= 1)) return bad("top_p must be between 0 and 1");
  if (!(s.min_p >= 0 && s.min_p <= 1)) return bad("min_p must be between 0 and 1");
  if (!(s.repetition_penalty > 0) || !std::isfinite(s.repetition_penalty)) return bad("repetition_penalty must be above 0");
  return {};
}

Sampler::Sampler(const Sampling& sampling, std::span<const std::int32_t> prompt)
    : sampling_(sampling), seen_(prompt.begin(), prompt.end()) {
  std::sort(seen_.begin(), seen_.end());
  seen_.erase(std::unique(seen_.begin(), seen_.end()), seen_.end());
}

void Sampler::remember(std::int32_t token) {
  const auto at = std::lower_bound(seen_.begin(), seen_.end(), token);
  if (at == seen_.end() || *at != token) seen_.insert(at, token);
}

std::optional<std::int32_t> Sampler::next(std::span<float> logits) {
  if (const float penalty = sampling_.repetition_penalty; penalty != 1) {
    for (std::int32_t token : seen_) {
      float& logit = logits[static_cast<std::size_t>(token)];
      logit = logit > 0 ? logit / penalty : logit * penalty;
    }
  }
  std::size_t best = 0;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (std::isnan(logits[i])) return std::nullopt;
    if (logits[i] > logits[best]) best = i;
  }
  if (!std::isfinite(logits[best])) return std::nullopt;
  const std::int32_t token =
      sampling_.temperature == 0 ? static_cast<std::int32_t>(best) : draw(logits, logits[best]);
  remember(token);
  ++index_;
  return token;
}

std::int32_t Sampler::draw(std::span<const float> logits, float most) const {
  std::vector<Candidate> kept(logits.size());
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const double distance = static_cast<double>(logits[i]) - static_cast<double>(most);
    kept[i] = {static_cast<std::int32_t>(i), std::exp(distance / static_cast<double>(sampling_.temperature))};
  }
  if (sampling_.top_k > 0) kept = likeliest(std::move(kept), static_cast<std::size_t>(sampling_.top_k), INFINITY);
  if (sampling_.top_p < 1) {
    const double mass = static_cast<double>(sampling_.top_p) * total(kept);
    kept = likeliest(std::move(kept), kept.size(), mass);
  }
  if (sampling_.min_p > 0) {
    std::erase_if(kept, [&](const Candidate& c) { return c.weight < static_cast<double>(sampling_.min_p); });
  }

  // The first candidate whose cumulated weight passes the drawn one; the last of any weight if rounding leaves none.
  const double drawn = philox_uniform53(sampling_.seed, kSamplingStream, index_) * total(kept);
  double sum = 0;
  std::int32_t chosen = kept.front().id;
  for (const Candidate& c : kept) {
    if (c.weight == 0) continue;
    chosen = c.id;
    if ((sum += c.weight) > drawn) break;
  }
  return chosen;
}

}  // namespace namesake
