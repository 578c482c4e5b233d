// See engine/lora_adapter.h. Reading and writing PEFT folders is in adapter_io.cpp.
#include "engine/lora_adapter.h"

#include <cmath>
#include <string>
#include <utility>

#include "engine/lora_layout.h"
#include "engine/moment.h"
#include "engine/philox.h"

namespace namesake {

namespace {
constexpr std::uint64_t kInitStream = std::uint64_t{1} << 32;  // + a factor's place in a whole model: apart from the streams of sampling
}  // namespace

Result<std::shared_ptr<LoraAdapter>> LoraAdapter::allocate(const Model& model, const LoraShape& shape, float alpha,
                                                           bool trainable, std::shared_ptr<Arena> arena, int state_bits) {
  NAMESAKE_TRY(check_lora(model.config(), shape));
  if (!std::isfinite(alpha) || alpha <= 0) return Status::error(Code::recipe_unsupported, "alpha must be a positive number");
  if (state_bits != 32 && state_bits != 8) return Status::error(Code::recipe_unsupported, "state_bits must be 32 or 8");
  const std::size_t bytes = lora_bytes(model.config(), shape), moments = moments_bytes(model.config(), shape, state_bits);
  if (!arena) {
    arena = std::make_shared<Arena>(model.shared_backend());
    NAMESAKE_TRY(arena->reserve(bytes + (trainable ? bytes + moments : 0), "an adapter of rank " + std::to_string(shape.rank)));
  }
  float *value = nullptr, *grad = nullptr;
  std::byte* moment = nullptr;
  NAMESAKE_TRY(arena->take(value, bytes, "adapter"));
  if (trainable) {
    NAMESAKE_TRY(arena->take(grad, bytes, "gradients"));
    NAMESAKE_TRY(arena->take(moment, moments, "optimizer"));
  }
  std::shared_ptr<LoraAdapter> adapter(new LoraAdapter(std::move(arena), model.config(), shape, alpha));
  const std::size_t count = lora_count(model.config(), shape.first_layer);
  std::size_t at = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const LoraPart part = lora_part(model.config(), shape.first_layer, i);
    const LinearShape linear = linear_shape(model.config(), part.linear);
    Trainable t;
    t.name = peft_key(model.config(), part);
    t.rows = part.b ? linear.out : shape.rank;
    t.cols = part.b ? shape.rank : linear.in;
    t.value = value + at;
    if (trainable) {
      t.grad = grad + at;
      for (Moment* of : {&t.m, &t.v}) {
        *of = moment_in(moment, t.rows * t.cols, state_bits);
        moment += moment_bytes(t.rows * t.cols, state_bits);
      }
    }
    at += padded_floats(t.rows, t.cols);
    adapter->trainables_.push_back(std::move(t));
  }
  return adapter;
}

Status LoraAdapter::init_a(std::size_t index, std::uint64_t seed) {
  const Trainable& t = trainables_[index];
  // Kaiming-uniform with a = sqrt 5: bound = sqrt(6 / ((1 + a²) fan_in)) = 1 / sqrt(fan_in).
  const float bound = static_cast<float>(1.0 / std::sqrt(static_cast<double>(t.cols)));
  std::vector<float> values(static_cast<std::size_t>(t.rows * t.cols));
  const std::uint64_t stream = kInitStream + lora_index(config_, 0, lora_part(config_, shape_.first_layer, index));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = (2 * philox_uniform(seed, stream, i) - 1) * bound;
  }
  return set_values(index, values);
}

Status LoraAdapter::set_values(std::size_t index, std::span<const float> values) {
  return arena_->backend().upload(trainables_[index].value, values.data(), values.size_bytes());
}

Result<std::shared_ptr<Adapter>> Adapter::create(const Model& model, const LoraShape& shape, float alpha, std::uint64_t seed,
                                                 bool trainable, std::shared_ptr<Arena> arena, int state_bits) {
  const Result<std::shared_ptr<LoraAdapter>> adapter =
      LoraAdapter::allocate(model, shape, alpha, trainable, std::move(arena), state_bits);
  if (!adapter.ok()) return adapter.status();
  for (std::size_t i = 0; i < adapter.value()->trainables().size(); i += 2) NAMESAKE_TRY(adapter.value()->init_a(i, seed));
  return std::shared_ptr<Adapter>(adapter.value());
}

LoraView LoraAdapter::view(std::int64_t layer, Linear linear) const {
  const std::size_t a = lora_index(config_, shape_.first_layer, {layer, linear, false});
  return {trainables_[a].value, trainables_[a + 1].value, shape_.rank, alpha_ / static_cast<float>(shape_.rank), nullptr};
}

LoraGradient LoraAdapter::gradient(std::int64_t layer, Linear linear) const {
  const std::size_t a = lora_index(config_, shape_.first_layer, {layer, linear, false});
  return {trainables_[a].grad, trainables_[a + 1].grad};
}

}  // namespace namesake
