// See engine/checkpoint.h.
#include "engine/checkpoint.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string_view>
#include <utility>
#include <vector>

#include "formats/atomic_file.h"
#include "formats/json.h"
#include "formats/safetensors.h"

namespace namesake {

namespace {

constexpr std::int64_t kVersion = 1;

Status invalid(const std::string& what) { return Status::error(Code::checkpoint_invalid, what); }

const char* schedule_name(Schedule schedule) {
  switch (schedule) {
    case Schedule::linear: return "linear";
    case Schedule::cosine: return "cosine";
    case Schedule::constant: return "constant";
  }
  return "constant";
}

/// The numbers of TrainerOptions under the names that trainer_state.json gives them.
std::vector<std::pair<const char*, double>> option_numbers(const TrainerOptions& o) {
  return {{"lr", o.lr},     {"beta1", o.beta1}, {"beta2", o.beta2},
          {"eps", o.eps},   {"weight_decay", o.weight_decay}, {"clip", o.clip},
          {"warmup_steps", static_cast<double>(o.warmup_steps)}, {"steps", static_cast<double>(o.steps)}};
}

Status write_state(const Model& model, const Adapter& adapter, const TrainerOptions& options, std::int64_t step,
                   const std::string& folder) {
  JsonWriter json;
  json.i64("version", kVersion).i64("step", step).i64("rank", adapter.rank());
  json.string("backend", model.backend().name()).string("isa", model.backend().isa());
  json.string("schedule", schedule_name(options.schedule));
  for (const auto& [name, value] : option_numbers(options)) json.f64(name, value);
  const Result<std::string> text = json.finish();
  if (!text.ok()) return text.status();
  return write_file_atomically(folder + "/trainer_state.json", text.value());
}

Status write_moments(const Model& model, Adapter& adapter, const std::string& folder) {
  std::vector<std::vector<float>> values;
  std::vector<TensorToWrite> tensors;
  values.reserve(2 * adapter.trainables().size());
  for (const Trainable& t : adapter.trainables()) {
    for (const auto& [prefix, moment] : {std::pair{"m.", t.m}, std::pair{"v.", t.v}}) {
      values.emplace_back(static_cast<std::size_t>(t.rows * t.cols));
      NAMESAKE_TRY(model.backend().download(values.back().data(), moment, values.back().size() * sizeof(float)));
      tensors.push_back({prefix + t.name, {t.rows, t.cols}, values.back().data()});
    }
  }
  return write_safetensors(folder + "/optimizer.safetensors", tensors, {});
}

Result<std::int64_t> read_state(const TrainerOptions& options, const std::string& folder) {
  const Result<JsonObject> json =
      JsonObject::read(folder + "/trainer_state.json", Code::checkpoint_invalid, Code::checkpoint_invalid);
  if (!json.ok()) return json.status();
  std::int64_t version = 0, step = 0;
  if (!json.value().get_i64("version", version) || version != kVersion) return invalid("trainer_state.json is not of version 1");
  if (!json.value().get_i64("step", step) || step < 0) return invalid("trainer_state.json has no step");
  std::string schedule;
  if (!json.value().get_string("schedule", schedule)) return invalid("trainer_state.json has no schedule");
  if (schedule != schedule_name(options.schedule)) return invalid("the schedule was " + schedule);
  for (const auto& [name, value] : option_numbers(options)) {
    double stored = 0;
    if (!json.value().get_f64(name, stored)) return invalid(std::string("trainer_state.json has no ") + name);
    if (stored != value) {
      return invalid(std::string(name) + " was " + std::to_string(stored) + ", is now " + std::to_string(value));
    }
  }
  return step;
}

/// Checks that every moment is there with its shape, finite, and its square not below 0: an update would spoil the adapter.
Status check_moments(Adapter& adapter, const SafetensorsFile& file) {
  for (const Trainable& t : adapter.trainables()) {
    for (const char* prefix : {"m.", "v."}) {
      const auto found = file.tensors.find(prefix + t.name);
      if (found == file.tensors.end() || found->second.shape != std::vector<std::int64_t>{t.rows, t.cols}) {
        return invalid("optimizer.safetensors lacks " + std::string(prefix) + t.name + " in its shape");
      }
      const float least = *prefix == 'v' ? 0 : -std::numeric_limits<float>::max();
      const std::vector<float>& data = found->second.data;
      if (!std::all_of(data.begin(), data.end(), [&](float x) { return std::isfinite(x) && x >= least; })) {
        return invalid("optimizer.safetensors holds values in " + std::string(prefix) + t.name + " that are no moments");
      }
    }
  }
  return {};
}

}  // namespace

Status write_checkpoint(const Model& model, Adapter& adapter, const TrainerOptions& options, std::int64_t step,
                        const std::string& folder, const std::string& base_model) {
  NAMESAKE_TRY(begin_folder(folder));
  const std::string temporary = folder + ".tmp";
  Status status = adapter.save(temporary, base_model);
  if (status.ok()) status = write_moments(model, adapter, temporary);
  if (status.ok()) status = write_state(model, adapter, options, step, temporary);
  if (status.ok()) status = commit_folder(folder);
  if (!status.ok()) discard_folder(folder);
  return status;
}

Result<std::int64_t> read_checkpoint(const Model& model, Adapter& adapter, const TrainerOptions& options,
                                     const std::string& folder) {
  const Result<std::int64_t> step = read_state(options, folder);
  if (!step.ok()) return step.status();
  const Result<std::shared_ptr<Adapter>> stored = Adapter::load(model, folder, false);
  if (!stored.ok()) return stored.status();
  if (stored.value()->rank() != adapter.rank() || stored.value()->alpha() != adapter.alpha()) {
    return Status::error(Code::adapter_mismatch, "the checkpoint's rank or alpha is not that of this run");
  }
  const Result<SafetensorsFile> moments = read_safetensors(folder + "/optimizer.safetensors");
  if (!moments.ok()) return invalid("optimizer.safetensors: " + moments.status().message);
  NAMESAKE_TRY(check_moments(adapter, moments.value()));

  Backend& backend = model.backend();
  for (std::size_t i = 0; i < adapter.trainables().size(); ++i) {
    const Trainable& t = adapter.trainables()[i];
    const std::size_t bytes = static_cast<std::size_t>(t.rows * t.cols) * sizeof(float);
    NAMESAKE_TRY(backend.copy(t.value, stored.value()->trainables()[i].value, bytes));
    NAMESAKE_TRY(backend.upload(t.m, moments.value().tensors.at("m." + t.name).data.data(), bytes));
    NAMESAKE_TRY(backend.upload(t.v, moments.value().tensors.at("v." + t.name).data.data(), bytes));
  }
  return step;
}

}  // namespace namesake
