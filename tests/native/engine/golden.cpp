#include "engine/golden.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <iostream>

#include "engine/moment.h"
#include "yyjson.h"

namespace namesake::test {

namespace {

using Document = std::unique_ptr<yyjson_doc, decltype(&yyjson_doc_free)>;
using Rows = std::vector<std::vector<std::int32_t>>;

Document parse(const char* text, std::size_t size) {
  Document document(yyjson_read(text, size, 0), &yyjson_doc_free);
  REQUIRE(document);
  return document;
}

Rows rows_of(yyjson_val* value) {
  Rows rows;
  for (std::size_t r = 0; r < yyjson_arr_size(value); ++r) {
    yyjson_val* row = yyjson_arr_get(value, r);
    rows.emplace_back();
    for (std::size_t t = 0; t < yyjson_arr_size(row); ++t) {
      rows.back().push_back(static_cast<std::int32_t>(yyjson_get_sint(yyjson_arr_get(row, t))));
    }
  }
  return rows;
}

Rows rows_of(const std::vector<float>& values, const std::vector<std::int64_t>& shape) {
  Rows rows(static_cast<std::size_t>(shape[0]));
  for (std::size_t i = 0; i < values.size(); ++i) {
    rows[i / static_cast<std::size_t>(shape[1])].push_back(static_cast<std::int32_t>(values[i]));
  }
  return rows;
}

void append_row(const PaddedBatch& padded, std::size_t row, float weight, Batch& batch) {
  for (std::size_t t = 0; t < padded.ids[row].size() && padded.mask[row][t]; ++t) {
    batch.ids.push_back(padded.ids[row][t]);
    batch.labels.push_back(padded.labels[row][t]);
    batch.positions.push_back(static_cast<std::int32_t>(t));
    batch.ce_weights.push_back(weight);
  }
  batch.cu_seqlens.push_back(static_cast<std::int32_t>(batch.ids.size()));
}

float weight_of(const PaddedBatch& padded) {
  int count = 0;
  for (const auto& row : padded.labels) {
    for (std::int32_t label : row) count += label != -100;
  }
  return 1.0f / static_cast<float>(count);
}

}  // namespace

std::string fixture(const std::string& name) { return std::string(NAMESAKE_FIXTURES) + "/" + name; }

const std::vector<std::string>& cpu_isas() {
  static const std::vector<std::string> isas = [] {
    std::vector<std::string> found;
    for (const char* isa : {"scalar", "avx2", "avx512", "avx512bf16", "amxbf16", kSoftTiles, "neon"}) {
      if (const auto backend = make_backend(isa, 1); backend.ok()) {
        found.push_back(isa);
      } else {
        std::cout << "skipped: cpu backend " << isa << ": " << backend.status().message << "\n";
      }
    }
    return found;
  }();
  return isas;
}

void on_each_backend(const std::function<void(std::shared_ptr<Backend>)>& run) {
  const char* only = std::getenv("BACKEND");
  if (!only || std::string(only) == "reference") {
    INFO("backend reference");
    run(make_reference_backend());
  }
  for (const std::string& isa : cpu_isas()) {
    if (only && isa != only) continue;
    INFO("backend cpu ", isa);
    run(must(make_backend(isa, 2)));
  }
}

bool rounds_products(const Model& model) {
  // One matrix is as good as another here: tests hold models whose layers are all f32 or none.
  return rounds_products(model.backend().isa()) && model.weights().layers[0].o.type != BlockType::f32;
}

std::shared_ptr<Model> open_model(const std::string& name, std::shared_ptr<Backend> backend, Precision precision) {
  return must(Model::open(fixture(name + ".gguf"), precision, std::move(backend)));
}

std::shared_ptr<Adapter> golden_adapter(const std::string& name, const Model& model, bool trainable) {
  return must(Adapter::load(model, fixture("golden/" + name + "/adapter"), trainable));
}

/// golden.safetensors holds i32 tensors, which the product's reader has no use for: this one trusts its file.
Golden read_tensors_of(const std::string& path) {
  Golden golden;
  const std::string bytes = read_text(path);
  std::uint64_t header = 0;
  std::memcpy(&header, bytes.data(), sizeof header);
  const Document document = parse(bytes.data() + 8, header);
  const char* data = bytes.data() + 8 + header;
  yyjson_val *key, *entry;
  std::size_t i, count;
  yyjson_obj_foreach(yyjson_doc_get_root(document.get()), i, count, key, entry) {
    const std::string name = yyjson_get_str(key);
    if (name == "__metadata__") continue;
    const std::uint64_t begin = yyjson_get_uint(yyjson_arr_get(yyjson_obj_get(entry, "data_offsets"), 0)),
                        end = yyjson_get_uint(yyjson_arr_get(yyjson_obj_get(entry, "data_offsets"), 1));
    const bool whole = std::string(yyjson_get_str(yyjson_obj_get(entry, "dtype"))) == "I32";
    std::vector<float> values((end - begin) / 4);
    for (std::size_t v = 0; v < values.size(); ++v) {
      std::int32_t bits = 0;
      std::memcpy(&bits, data + begin + 4 * v, 4);
      if (whole) {
        values[v] = static_cast<float>(bits);
      } else {
        std::memcpy(&values[v], &bits, 4);
      }
    }
    golden.tensors[name] = std::move(values);
    yyjson_val* shape = yyjson_obj_get(entry, "shape");
    for (std::size_t d = 0; d < yyjson_arr_size(shape); ++d) {
      golden.shapes[name].push_back(yyjson_get_sint(yyjson_arr_get(shape, d)));
    }
  }
  return golden;
}

TrainerOptions golden_options() {
  TrainerOptions options;
  options.lr = 1e-2f;
  options.weight_decay = 0.01f;
  options.warmup_steps = 2;
  options.steps = 10;
  return options;
}

std::vector<PaddedBatch> read_batches(const std::string& path) {
  const std::string text = read_text(path);
  const Document document = parse(text.data(), text.size());
  yyjson_val* root = yyjson_doc_get_root(document.get());
  std::vector<PaddedBatch> batches;
  for (std::size_t b = 0; b < yyjson_arr_size(root); ++b) {
    yyjson_val* batch = yyjson_arr_get(root, b);
    batches.push_back({rows_of(yyjson_obj_get(batch, "input_ids")), rows_of(yyjson_obj_get(batch, "labels")),
                       rows_of(yyjson_obj_get(batch, "attention_mask"))});
  }
  return batches;
}

Golden read_golden(const std::string& name) {
  const std::string folder = fixture("golden/" + name);
  Golden golden = read_tensors_of(folder + "/golden.safetensors");
  const auto rows = [&](const char* key) { return rows_of(golden.tensors.at(key), golden.shapes.at(key)); };
  golden.batch = {rows("input_ids"), rows("labels"), rows("attention_mask")};
  golden.kl_mask = rows("kl_mask");
  golden.batches = read_batches(folder + "/batches.json");
  return golden;
}

Batch pack(const PaddedBatch& padded) {
  Batch batch;
  batch.cu_seqlens = {0};
  for (std::size_t row = 0; row < padded.ids.size(); ++row) append_row(padded, row, weight_of(padded), batch);
  return batch;
}

Batch pack_row(const PaddedBatch& padded, std::size_t row) {
  Batch batch;
  batch.cu_seqlens = {0};
  append_row(padded, row, weight_of(padded), batch);
  return batch;
}

Batch pack_kl(const Golden& golden) {
  Batch batch = pack(golden.batch);
  std::fill(batch.ce_weights.begin(), batch.ce_weights.end(), 0.0f);
  batch.kl_weights.assign(batch.ids.size(), 0);
  std::size_t count = 0;
  for (const auto& row : golden.kl_mask) count += static_cast<std::size_t>(std::count(row.begin(), row.end(), 1));
  for (std::size_t row = 0; row < golden.kl_mask.size(); ++row) {
    for (std::size_t t = 0; t < golden.kl_mask[row].size(); ++t) {
      // The mask marks the position that predicts; the weight stands at the token that is predicted.
      if (golden.kl_mask[row][t]) {
        batch.kl_weights[static_cast<std::size_t>(batch.cu_seqlens[row]) + t + 1] = 1.0f / static_cast<float>(count);
      }
    }
  }
  return batch;
}

double relative_l2(const std::vector<float>& actual, const std::vector<float>& expected) {
  REQUIRE(actual.size() == expected.size());
  double error = 0, norm = 0;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    error += std::pow(double(actual[i]) - double(expected[i]), 2);
    norm += std::pow(double(expected[i]), 2);
  }
  return std::sqrt(error / norm);
}

double cosine(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  double ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    ab += double(a[i]) * double(b[i]);
    aa += double(a[i]) * double(a[i]);
    bb += double(b[i]) * double(b[i]);
  }
  return ab / std::sqrt(aa * bb);
}

std::vector<std::vector<float>> state_of(Adapter& adapter) {
  static const std::unique_ptr<Backend> host = make_reference_backend();
  return state_of(adapter, *host);
}

std::vector<std::vector<float>> state_of(Adapter& adapter, Backend& backend) {
  std::vector<std::vector<float>> state;
  for (const Trainable& t : adapter.trainables()) {
    for (const float* values : {t.value, t.m.values, t.v.values}) {
      if (!values) continue;
      std::vector<float>& copy = state.emplace_back(static_cast<std::size_t>(t.rows * t.cols));
      must(backend.download(copy.data(), values, copy.size() * sizeof(float)));
    }
    for (const Moment* moment : {&t.m, &t.v}) {
      if (!moment->codes) continue;
      std::vector<std::uint8_t> codes(static_cast<std::size_t>(t.rows * t.cols));
      must(backend.download(codes.data(), moment->codes, codes.size()));
      state.emplace_back(codes.begin(), codes.end());
      std::vector<float>& absmax = state.emplace_back(static_cast<std::size_t>(moment_blocks(t.rows * t.cols)));
      must(backend.download(absmax.data(), moment->absmax, absmax.size() * sizeof(float)));
    }
  }
  return state;
}

void forget_field(const std::string& checkpoint, const std::string& name) {
  const std::string path = checkpoint + "/trainer_state.json", state = read_text(path);
  const std::size_t at = state.find('"' + name + '"');
  REQUIRE(at != std::string::npos);
  const std::size_t comma = state.rfind(',', at), end = state.find_first_of(",\n}", at);
  write_text(path, state.substr(0, comma) + state.substr(end));
}

}  // namespace namesake::test
