// See engine/lora_adapter.h. Reading and writing PEFT folders is in adapter_io.cpp.
#include "engine/lora_adapter.h"

#include <cmath>
#include <string>

#include "engine/lora_layout.h"
#include "engine/philox.h"

namespace namesake {

namespace {
constexpr std::int64_t kMaxRank = 1024;
constexpr std::uint64_t kInitStream = std::uint64_t{1} << 32;  // + trainable index: apart from the streams of sampling
constexpr std::size_t kAlignFloats = 16;  // a cache line

std::size_t padded(const Trainable& t) {
  return (static_cast<std::size_t>(t.rows * t.cols) + kAlignFloats - 1) / kAlignFloats * kAlignFloats;
}
}  // namespace

Result<std::shared_ptr<LoraAdapter>> LoraAdapter::allocate(const Model& model, std::int64_t rank, float alpha,
                                                           bool trainable) {
  if (rank < 1 || rank > kMaxRank) {
    return Status::error(Code::recipe_unsupported, "rank " + std::to_string(rank) + " is not between 1 and 1024");
  }
  if (!std::isfinite(alpha) || alpha <= 0) return Status::error(Code::recipe_unsupported, "alpha must be a positive number");
  std::shared_ptr<LoraAdapter> adapter(new LoraAdapter(model.shared_backend(), model.config(), rank, alpha));

  const std::size_t count = static_cast<std::size_t>(model.config().layers) * 2 * kLinearsPerLayer;
  std::size_t floats = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const LoraPart part = lora_part(i);
    const Matrix& w = linear_of(model.weights().layers[static_cast<std::size_t>(part.layer)], part.linear);
    Trainable t;
    t.name = peft_key(part);
    t.rows = part.b ? w.rows : rank;
    t.cols = part.b ? rank : w.cols;
    floats += padded(t);
    adapter->trainables_.push_back(std::move(t));
  }
  NAMESAKE_TRY(adapter->values_.reserve(floats * sizeof(float)));
  if (trainable) NAMESAKE_TRY(adapter->states_.reserve(3 * floats * sizeof(float)));
  std::size_t at = 0;
  for (Trainable& t : adapter->trainables_) {
    t.value = adapter->values_.floats() + at;
    if (trainable) {
      t.grad = adapter->states_.floats() + at;
      t.m = t.grad + floats;
      t.v = t.m + floats;
    }
    at += padded(t);
  }
  return adapter;
}

Status LoraAdapter::init_a(std::size_t index, std::uint64_t seed) {
  const Trainable& t = trainables_[index];
  // Kaiming-uniform with a = sqrt 5: bound = sqrt(6 / ((1 + a²) fan_in)) = 1 / sqrt(fan_in).
  const float bound = static_cast<float>(1.0 / std::sqrt(static_cast<double>(t.cols)));
  std::vector<float> values(static_cast<std::size_t>(t.rows * t.cols));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = (2 * philox_uniform(seed, kInitStream + index, i) - 1) * bound;
  }
  return set_values(index, values);
}

Status LoraAdapter::set_values(std::size_t index, std::span<const float> values) {
  return backend_->upload(trainables_[index].value, values.data(), values.size_bytes());
}

Result<std::shared_ptr<Adapter>> Adapter::create(const Model& model, std::int64_t rank, float alpha, std::uint64_t seed,
                                                 bool trainable) {
  const Result<std::shared_ptr<LoraAdapter>> adapter = LoraAdapter::allocate(model, rank, alpha, trainable);
  if (!adapter.ok()) return adapter.status();
  for (std::size_t i = 0; i < adapter.value()->trainables().size(); i += 2) NAMESAKE_TRY(adapter.value()->init_a(i, seed));
  return std::shared_ptr<Adapter>(adapter.value());
}

LoraView LoraAdapter::view(std::int64_t layer, Linear linear) const {
  const std::size_t a = lora_index({layer, linear, false});
  return {trainables_[a].value, trainables_[a + 1].value, rank_, alpha_ / static_cast<float>(rank_), nullptr};
}

LoraGradient LoraAdapter::gradient(std::int64_t layer, Linear linear) const {
  const std::size_t a = lora_index({layer, linear, false});
  return {trainables_[a].grad, trainables_[a + 1].grad};
}

}  // namespace namesake
