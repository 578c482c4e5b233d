#include "engine/merged_twin.h"

#include <algorithm>
#include <filesystem>

#include "engine/golden.h"
#include "formats/safetensors_model.h"
#include "yyjson.h"

namespace namesake::test {

namespace {

std::string config_of(const std::string& folder, const char* field) {
  const std::string text = read_text(folder + "/adapter_config.json");
  const std::unique_ptr<yyjson_doc, decltype(&yyjson_doc_free)> document(yyjson_read(text.data(), text.size(), 0), &yyjson_doc_free);
  yyjson_val* value = yyjson_obj_get(yyjson_doc_get_root(document.get()), field);
  REQUIRE(yyjson_is_num(value));
  return std::to_string(yyjson_get_num(value));
}

/// W + (alpha / r) B A as F32, with sums in f64.
TwinTensor merge(const StoredTensor& stored, const std::vector<float>& a, const std::vector<float>& b, double scale) {
  const Matrix& w = stored.matrix;
  const std::size_t rows = static_cast<std::size_t>(w.rows), cols = static_cast<std::size_t>(w.cols), rank = a.size() / cols;
  REQUIRE(b.size() == rows * rank);
  TwinTensor merged{"F32", stored.shape, {}};
  std::vector<float> row(cols);
  for (std::size_t n = 0; n < rows; ++n) {
    decode_row(w, static_cast<std::int64_t>(n), row.data());
    for (std::size_t k = 0; k < cols; ++k) {
      double sum = 0;
      for (std::size_t r = 0; r < rank; ++r) sum += double(b[n * rank + r]) * double(a[r * cols + k]);
      row[k] = static_cast<float>(double(row[k]) + scale * sum);
    }
    merged.bytes.append(reinterpret_cast<const char*>(row.data()), cols * sizeof(float));
  }
  return merged;
}

const char* dtype_of(BlockType type) {
  return type == BlockType::f32 ? "F32" : type == BlockType::f16 ? "F16" : "BF16";
}

}  // namespace

MergedModel::MergedModel(const std::string& name) {
  if (is_folder(fixture(name))) {
    std::filesystem::copy(fixture(name), base.path(), std::filesystem::copy_options::recursive);
  } else {
    folder_twin(name).write(base);
  }
  const std::string adapter = fixture("golden/" + name + "/adapter");
  const auto factors = read_tensors_of(adapter + "/adapter_model.safetensors").tensors;
  const double scale = std::stod(config_of(adapter, "lora_alpha")) / std::stod(config_of(adapter, "r"));
  const auto file = must(SafetensorsModel::open(base.path()));
  FolderTwin twin;
  std::size_t changed = 0;
  for (const StoredTensor& stored : file->tensors()) {
    const std::string key = "base_model.model." + stored.name.substr(0, stored.name.rfind(".weight"));
    const auto a = factors.find(key + ".lora_A.weight"), b = factors.find(key + ".lora_B.weight");
    if (a != factors.end()) {
      twin.tensors[stored.name] = merge(stored, a->second, b->second, scale);
      changed += 2;
    } else {
      const Matrix& m = stored.matrix;
      const std::string bytes(reinterpret_cast<const char*>(m.data), static_cast<std::size_t>(m.rows * row_bytes(m.type, m.cols)));
      twin.tensors[stored.name] = {dtype_of(m.type), stored.shape, bytes};
    }
  }
  REQUIRE(changed == factors.size());
  twin.write(merged);
  std::filesystem::copy_file(base / "config.json", merged / "config.json", std::filesystem::copy_options::overwrite_existing);
}

MergedLogits merged_logits(const MergedModel& folders, const std::string& name, std::shared_ptr<Backend> backend) {
  const auto base = must(Model::open(folders.base.path(), Precision::as_stored, backend));
  const auto merged = must(Model::open(folders.merged.path(), Precision::as_stored, backend));
  const auto adapter = golden_adapter(name, *base, false);
  const std::vector<std::int32_t> ids = pack_row(read_golden(name).batch, 0).ids;
  const auto applied = must(logits(*base, adapter.get(), ids));
  return {relative_l2(must(logits(*merged, nullptr, ids)), applied), relative_l2(must(logits(*base, nullptr, ids)), applied)};
}

}  // namespace namesake::test
