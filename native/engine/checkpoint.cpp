// See engine/checkpoint.h.
#include "engine/checkpoint.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "engine/moment.h"
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

/// A number of TrainerOptions under the name that trainer_state.json gives it.
struct OptionNumber {
  const char* name;
  double value;
  std::optional<double> before = {};  ///< what it was in files that lack it, from before there were others
};

std::vector<OptionNumber> option_numbers(const TrainerOptions& o) {
  return {{"lr", o.lr},     {"beta1", o.beta1}, {"beta2", o.beta2},
          {"eps", o.eps},   {"weight_decay", o.weight_decay}, {"clip", o.clip},
          {"warmup_steps", static_cast<double>(o.warmup_steps)}, {"steps", static_cast<double>(o.steps)},
          {"state_bits", static_cast<double>(o.state_bits), 32}, {"activation_bits", static_cast<double>(o.activation_bits), 32},
          {"loraplus_lr_ratio", o.loraplus_lr_ratio, 1}};
}

/// One of a trainable's moments, and the part of its tensors' names that says which.
struct NamedMoment {
  char of;
  const Moment& moment;

  std::string values(const Trainable& t) const { return std::string(1, of) + "." + t.name; }
  std::string codes(const Trainable& t) const { return std::string(1, of) + "_codes." + t.name; }
  std::string absmax(const Trainable& t) const { return std::string(1, of) + "_absmax." + t.name; }
};

std::array<NamedMoment, 2> moments_of(const Trainable& t) { return {{{'m', t.m}, {'v', t.v}}}; }

Status write_state(const Model& model, const Adapter& adapter, const TrainerOptions& options, std::int64_t step,
                   const std::string& folder) {
  JsonWriter json;
  json.i64("version", kVersion).i64("step", step).i64("rank", adapter.shape().rank);
  json.string("backend", model.backend().name()).string("isa", model.backend().isa());
  json.string("schedule", schedule_name(options.schedule));
  for (const OptionNumber& number : option_numbers(options)) json.f64(number.name, number.value);
  const Result<std::string> text = json.finish();
  if (!text.ok()) return text.status();
  return write_file_atomically(folder + "/trainer_state.json", text.value());
}

Status write_moments(const Model& model, Adapter& adapter, const std::string& folder) {
  Backend& backend = model.backend();
  std::vector<TensorToWrite> tensors;
  const auto add = [&](const std::string& name, const std::vector<std::int64_t>& shape, std::int64_t count, const auto* from) {
    const std::size_t bytes = static_cast<std::size_t>(count) * sizeof *from;
    tensors.push_back({name, shape, [&backend, from, bytes](std::byte* values) { return backend.download(values, from, bytes); },
                       sizeof *from == 1});
  };
  for (const Trainable& t : adapter.trainables()) {
    const std::int64_t count = t.rows * t.cols, blocks = moment_blocks(count);
    for (const NamedMoment& named : moments_of(t)) {
      if (named.moment.codes) {
        add(named.codes(t), {t.rows, t.cols}, count, named.moment.codes);
        add(named.absmax(t), {blocks}, blocks, named.moment.absmax);
      } else {
        add(named.values(t), {t.rows, t.cols}, count, named.moment.values);
      }
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
  for (const auto& [name, value, before] : option_numbers(options)) {
    double stored = before.value_or(0);
    if (!json.value().get_f64(name, stored) && !before) return invalid(std::string("trainer_state.json has no ") + name);
    if (stored != value) {
      return invalid(std::string(name) + " was " + std::to_string(stored) + ", is now " + std::to_string(value));
    }
  }
  return step;
}

/// A tensor of optimizer.safetensors with this shape, its values finite and not below `least`: an update would spoil the adapter.
Status check_tensor(const SafetensorsFile& file, const std::string& name, const std::vector<std::int64_t>& shape, float least) {
  const auto found = file.tensors.find(name);
  if (found == file.tensors.end() || found->second.shape != shape) {
    return invalid("optimizer.safetensors lacks " + name + " in its shape");
  }
  const std::vector<float>& data = found->second.data;
  if (!std::all_of(data.begin(), data.end(), [least](float x) { return std::isfinite(x) && x >= least; })) {
    return invalid("optimizer.safetensors holds values in " + name + " that are no moments");
  }
  return {};
}

/// Checks that every moment is there; the second one is a mean of squares, and codes are bytes.
Status check_moments(Adapter& adapter, const SafetensorsFile& file) {
  for (const Trainable& t : adapter.trainables()) {
    for (const NamedMoment& named : moments_of(t)) {
      if (named.moment.codes) {
        NAMESAKE_TRY(check_tensor(file, named.codes(t), {t.rows, t.cols}, 0));
        NAMESAKE_TRY(check_tensor(file, named.absmax(t), {moment_blocks(t.rows * t.cols)}, 0));
        const std::vector<float>& codes = file.tensors.at(named.codes(t)).data;
        if (!std::all_of(codes.begin(), codes.end(), [](float x) { return x <= 255 && x == std::floor(x); })) {
          return invalid("optimizer.safetensors holds values in " + named.codes(t) + " that are no codes");
        }
      } else {
        const float least = named.of == 'v' ? 0 : -std::numeric_limits<float>::max();
        NAMESAKE_TRY(check_tensor(file, named.values(t), {t.rows, t.cols}, least));
      }
    }
  }
  return {};
}

Status upload_moment(Backend& backend, const Trainable& t, const NamedMoment& named, const SafetensorsFile& file) {
  const auto upload = [&](float* to, const std::string& name) {
    const std::vector<float>& data = file.tensors.at(name).data;
    return backend.upload(to, data.data(), data.size() * sizeof(float));
  };
  if (!named.moment.codes) return upload(named.moment.values, named.values(t));
  const std::vector<float>& stored = file.tensors.at(named.codes(t)).data;
  std::vector<std::uint8_t> codes(stored.size());
  std::transform(stored.begin(), stored.end(), codes.begin(), [](float x) { return static_cast<std::uint8_t>(x); });
  NAMESAKE_TRY(backend.upload(named.moment.codes, codes.data(), codes.size()));
  return upload(named.moment.absmax, named.absmax(t));
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
  if (stored.value()->shape() != adapter.shape() || stored.value()->alpha() != adapter.alpha()) {
    return Status::error(Code::adapter_mismatch, "the checkpoint's rank, layers or alpha is not that of this run");
  }
  const Result<SafetensorsFile> moments = read_safetensors(folder + "/optimizer.safetensors");
  if (!moments.ok()) return invalid("optimizer.safetensors: " + moments.status().message);
  NAMESAKE_TRY(check_moments(adapter, moments.value()));

  Backend& backend = model.backend();
  for (std::size_t i = 0; i < adapter.trainables().size(); ++i) {
    const Trainable& t = adapter.trainables()[i];
    const std::size_t bytes = static_cast<std::size_t>(t.rows * t.cols) * sizeof(float);
    NAMESAKE_TRY(backend.copy(t.value, stored.value()->trainables()[i].value, bytes));
    for (const NamedMoment& named : moments_of(t)) NAMESAKE_TRY(upload_moment(backend, t, named, moments.value()));
  }
  return step;
}

}  // namespace namesake
