// Model::open: what it reads, and everything that it refuses.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>

#include "engine/golden.h"
#include "formats/gguf.h"
#include "formats/gguf_builder.h"

namespace namesake::test {

namespace {

using Type = GgufBuilder::Type;

/// A whole file of one layer, from parts that a test may change: plain llama, or another architecture by `of`.
struct TinyFile {
  std::string architecture = "llama";
  std::map<std::string, std::uint64_t> sizes = {
      {"llama.block_count", 1},          {"llama.context_length", 16},        {"llama.embedding_length", 8},
      {"llama.feed_forward_length", 12}, {"llama.attention.head_count", 2},   {"llama.attention.head_count_kv", 1},
      {"llama.vocab_size", 6},           {"llama.rope.dimension_count", 4}};
  std::map<std::string, float> numbers = {{"llama.attention.layer_norm_rms_epsilon", 1e-5f}, {"llama.rope.freq_base", 1e4f}};
  std::map<std::string, std::string> texts;
  std::map<std::string, std::vector<std::uint64_t>> tensors = {
      {"token_embd.weight", {8, 6}},        {"output.weight", {8, 6}},          {"output_norm.weight", {8}},
      {"blk.0.attn_norm.weight", {8}},      {"blk.0.attn_q.weight", {8, 8}},    {"blk.0.attn_k.weight", {8, 4}},
      {"blk.0.attn_v.weight", {8, 4}},      {"blk.0.attn_output.weight", {8, 8}}, {"blk.0.ffn_norm.weight", {8}},
      {"blk.0.ffn_gate.weight", {8, 12}},   {"blk.0.ffn_up.weight", {8, 12}},   {"blk.0.ffn_down.weight", {12, 8}}};

  std::string halved;                                ///< this tensor is stored as f16
  std::map<std::string, std::vector<float>> values;  ///< the first values of f32 tensors; all others are 0

  static TinyFile of(const std::string& architecture) {
    TinyFile file;
    file.architecture = architecture;
    const auto rename = [&](auto& keys) {
      auto old = std::move(keys);
      keys.clear();
      for (auto& [key, value] : old) keys[architecture + key.substr(key.find('.'))] = value;
    };
    rename(file.sizes);
    rename(file.numbers);
    if (architecture == "qwen2") {
      file.tensors["blk.0.attn_q.bias"] = {8};
      file.tensors["blk.0.attn_k.bias"] = file.tensors["blk.0.attn_v.bias"] = {4};
    }
    if (architecture == "qwen3") file.tensors["blk.0.attn_q_norm.weight"] = file.tensors["blk.0.attn_k_norm.weight"] = {4};
    return file;
  }

  Result<std::shared_ptr<Model>> open() const {
    GgufBuilder builder;
    if (!architecture.empty()) builder.text("general.architecture", architecture);
    for (const auto& [key, value] : sizes) builder.pair(key, Type::u64, value);
    for (const auto& [key, value] : numbers) builder.pair(key, Type::f32, value);
    for (const auto& [key, value] : texts) builder.text(key, value);
    std::uint64_t offset = 0;
    for (const auto& [name, dims] : tensors) {
      builder.tensor(name, dims, name == halved ? 1 : 0, offset);
      std::uint64_t bytes = 4;
      for (std::uint64_t dim : dims) bytes *= dim;
      offset += (bytes + 31) / 32 * 32;
    }
    std::vector<std::byte> file = builder.build(offset);
    std::fill(file.end() - static_cast<std::ptrdiff_t>(offset), file.end(), std::byte{0});
    for (const auto& [name, numbers_of] : values) {
      const auto parsed = must(GgufFile::parse(file.data(), file.size()));
      std::memcpy(file.data() + (parsed->tensor(name)->matrix.data - file.data()), numbers_of.data(), numbers_of.size() * sizeof(float));
    }
    TemporaryFolder folder;
    write_text(folder / "model.gguf", std::string(reinterpret_cast<const char*>(file.data()), file.size()));
    return Model::open(folder / "model.gguf", Precision::as_stored, make_reference_backend());
  }
};

Code after(const std::function<void(TinyFile&)>& change, TinyFile file = {}) {
  change(file);
  const auto model = file.open();
  INFO(model.status().message);
  CHECK((model.ok() || !model.status().message.empty()));
  return model.status().code;
}

}  // namespace

TEST_CASE("the tiny models' config, head and rope are those of their files") {
  const auto gqa = open_model("tiny-llama", make_reference_backend()), tied = open_model("tiny-llama-tied", make_reference_backend());
  const Config& c = gqa->config();
  CHECK(c.architecture == "llama");
  CHECK(c.hidden == 64);
  CHECK(c.layers == 2);
  CHECK(c.heads == 4);
  CHECK(c.kv_heads == 2);
  CHECK(c.head_dim == 16);
  CHECK(c.ffn == 96);
  CHECK(c.vocab == 323);
  CHECK(c.context == 512);
  CHECK(c.rope_theta == 100000);
  CHECK(c.rms_eps == 1e-5f);
  CHECK(c.rope_adjacent);
  CHECK_FALSE(c.tied);
  CHECK(gqa->weights().head.data != gqa->weights().embedding.data);
  CHECK(gqa->weights().embedding.type == BlockType::q8_0);
  CHECK(tied->config().tied);
  CHECK(tied->weights().head.data == tied->weights().embedding.data);

  const RopeTable& rope = gqa->rope();
  CHECK(rope.positions == 512);
  CHECK(rope.adjacent);
  CHECK(rope.cos[0] == 1);
  CHECK(rope.sin[0] == 0);
  // Position 300, pair 1 of 8: angle 300 * 100000^(-1/8).
  CHECK(double(rope.cos[300 * 8 + 1]) == doctest::Approx(std::cos(300 * std::pow(1e5, -1.0 / 8))).epsilon(1e-4));
  CHECK(double(rope.sin[300 * 8 + 1]) == doctest::Approx(std::sin(300 * std::pow(1e5, -1.0 / 8))).epsilon(1e-4));
}

TEST_CASE("precision decides what is converted") {
  const auto types = [](Precision precision) {
    const auto model = open_model("tiny-llama", make_reference_backend(), precision);
    const Weights& w = model->weights();
    return std::vector<BlockType>{w.embedding.type, w.head.type, w.layers[0].q.type, w.layers[1].down.type};
  };
  using enum BlockType;
  CHECK(types(Precision::as_stored) == std::vector{q8_0, q4_1, q4_0, q4_1});
  CHECK(types(Precision::f32) == std::vector{f32, f32, f32, f32});
  CHECK(types(Precision::bf16) == std::vector{q8_0, q4_1, bf16, bf16});
}

TEST_CASE("a whole file opens; optional keys may be absent") {
  CHECK(after([](TinyFile&) {}) == Code::ok);
  CHECK(after([](TinyFile& f) {
          for (const char* key : {"llama.vocab_size", "llama.rope.dimension_count"}) f.sizes.erase(key);
          f.numbers.erase("llama.rope.freq_base");
          f.tensors.erase("output.weight");
        }) == Code::ok);
  // Without head_count_kv every head has its own key and value.
  CHECK(after([](TinyFile& f) {
          f.sizes.erase("llama.attention.head_count_kv");
          f.tensors["blk.0.attn_k.weight"] = f.tensors["blk.0.attn_v.weight"] = {8, 8};
        }) == Code::ok);
  CHECK(after([](TinyFile& f) { f.texts["llama.rope.scaling.type"] = "none"; }) == Code::ok);
  // key_length sets the head size apart from hidden / heads.
  CHECK(after([](TinyFile& f) {
          f.sizes["llama.attention.key_length"] = f.sizes["llama.attention.value_length"] = f.sizes["llama.rope.dimension_count"] = 6;
          f.tensors["blk.0.attn_q.weight"] = {8, 12};
          f.tensors["blk.0.attn_output.weight"] = {12, 8};
          f.tensors["blk.0.attn_k.weight"] = f.tensors["blk.0.attn_v.weight"] = {8, 6};
        }) == Code::ok);
}

TEST_CASE("sizes that are missing, zero, huge or at odds are model.invalid") {
  for (const char* key : {"llama.block_count", "llama.context_length", "llama.embedding_length", "llama.feed_forward_length",
                          "llama.attention.head_count"}) {
    CAPTURE(key);
    CHECK(after([&](TinyFile& f) { f.sizes.erase(key); }) == Code::model_invalid);
  }
  for (const auto& [key, value] : TinyFile{}.sizes) {
    CAPTURE(key);
    const std::string name = key;
    CHECK(after([&](TinyFile& f) { f.sizes[name] = 0; }) == Code::model_invalid);
    CHECK(after([&](TinyFile& f) { f.sizes[name] = std::uint64_t{1} << 40; }) == Code::model_invalid);
    CHECK(after([&](TinyFile& f) { f.sizes[name] = ~std::uint64_t{0}; }) == Code::model_invalid);
    CHECK(after([&](TinyFile& f) {
            f.sizes.erase(name);
            f.texts[name] = "8";
          }) == Code::model_invalid);
  }
  CHECK(after([](TinyFile& f) { f.sizes["llama.attention.head_count_kv"] = 4; }) == Code::model_invalid);   // 2 % 4
  CHECK(after([](TinyFile& f) { f.sizes["llama.attention.head_count"] = 3; }) == Code::model_invalid);      // 8 % 3
  CHECK(after([](TinyFile& f) { f.sizes["llama.attention.head_count"] = 8; }) == Code::model_invalid);      // head size 1
  CHECK(after([](TinyFile& f) { f.sizes["llama.attention.key_length"] = 3; }) == Code::model_invalid);      // odd
  CHECK(after([](TinyFile& f) { f.sizes["llama.vocab_size"] = 7; }) == Code::model_invalid);
  CHECK(after([](TinyFile& f) {
          f.sizes["llama.embedding_length"] = 16;
          f.sizes.erase("llama.rope.dimension_count");
        }) == Code::model_invalid);
  CHECK(after([](TinyFile& f) { f.sizes["llama.feed_forward_length"] = 16; }) == Code::model_invalid);
  CHECK(after([](TinyFile& f) { f.architecture = ""; }) == Code::model_invalid);
}

TEST_CASE("norm epsilon and rope base out of range are model.invalid") {
  CHECK(after([](TinyFile& f) { f.numbers.erase("llama.attention.layer_norm_rms_epsilon"); }) == Code::model_invalid);
  for (const char* key : {"llama.attention.layer_norm_rms_epsilon", "llama.rope.freq_base"}) {
    for (float value : {0.0f, -1.0f, std::nanf(""), INFINITY, 1e30f}) {
      CAPTURE(key);
      CAPTURE(value);
      CHECK(after([&](TinyFile& f) { f.numbers[key] = value; }) == Code::model_invalid);
    }
  }
}

TEST_CASE("every tensor is asked for by name, and must have the config's shape") {
  for (const auto& [key, dims] : TinyFile{}.tensors) {
    CAPTURE(key);
    const std::string name = key;
    if (name != "output.weight") {  // absent: the head is tied
      TinyFile file;
      file.tensors.erase(name);
      const auto model = file.open();
      CHECK(model.status().code == Code::model_missing_tensor);
      CHECK(model.status().message.find(name) != std::string::npos);
    }
    CHECK(after([&](TinyFile& f) { f.tensors[name][0] += 1; }) == Code::model_invalid);
    CHECK(after([&](TinyFile& f) { f.tensors[name].push_back(2); }) == Code::model_invalid);
    if (dims.size() == 2) CHECK(after([&](TinyFile& f) { f.tensors[name][1] += 1; }) == Code::model_invalid);
  }
}

TEST_CASE("what the graph does not compute is model.unknown_architecture, never ignored") {
  CHECK(after([](TinyFile& f) { f.architecture = "gemma2"; }) == Code::model_unknown_architecture);
  for (const char* type : {"linear", "yarn", "longrope"}) {
    CHECK(after([&](TinyFile& f) { f.texts["llama.rope.scaling.type"] = type; }) == Code::model_unknown_architecture);
  }
  CHECK(after([](TinyFile& f) { f.numbers["llama.rope.scaling.factor"] = 4; }) == Code::model_unknown_architecture);
  CHECK(after([](TinyFile& f) { f.numbers["llama.rope.scale_linear"] = 2; }) == Code::model_unknown_architecture);
  CHECK(after([](TinyFile& f) { f.sizes["llama.expert_count"] = 8; }) == Code::model_unknown_architecture);
  CHECK(after([](TinyFile& f) { f.sizes["llama.attention.sliding_window"] = 8; }) == Code::model_unknown_architecture);
  CHECK(after([](TinyFile& f) { f.numbers["llama.logit_scale"] = 2; }) == Code::model_unknown_architecture);
  CHECK(after([](TinyFile& f) { f.sizes["llama.attention.value_length"] = 2; }) == Code::model_unknown_architecture);
  CHECK(after([](TinyFile& f) { f.sizes["llama.rope.dimension_count"] = 2; }) == Code::model_unknown_architecture);
  for (const char* name : {"blk.0.attn_q.bias", "blk.0.attn_q_norm.weight", "blk.1.attn_norm.weight", "x"}) {
    CAPTURE(name);
    TinyFile file;
    file.tensors[name] = {8};
    const auto model = file.open();
    CHECK(model.status().code == Code::model_unknown_architecture);
    CHECK(model.status().message.find(name) != std::string::npos);
  }
}

TEST_CASE("each architecture sets its own options, and asks for its own tensors") {
  const auto config_of = [](const char* architecture) { return must(TinyFile::of(architecture).open())->config(); };
  const Config llama = config_of("llama"), qwen2 = config_of("qwen2"), qwen3 = config_of("qwen3"), internlm2 = config_of("internlm2");
  CHECK((llama.family == Family::llama && !llama.qkv_bias && !llama.qk_norm && !llama.fused_qkv && llama.rope_adjacent));
  CHECK((qwen2.family == Family::qwen2 && qwen2.qkv_bias && !qwen2.qk_norm && !qwen2.fused_qkv && !qwen2.rope_adjacent));
  CHECK((qwen3.family == Family::qwen3 && !qwen3.qkv_bias && qwen3.qk_norm && !qwen3.fused_qkv && !qwen3.rope_adjacent));
  // Its q/k rows are paired in the file, but not where they have been fused.
  CHECK((internlm2.family == Family::internlm2 && !internlm2.qkv_bias && !internlm2.qk_norm && internlm2.fused_qkv && !internlm2.rope_adjacent));

  for (const auto& [architecture, names] : std::map<std::string, std::vector<std::string>>{
           {"qwen2", {"blk.0.attn_q.bias", "blk.0.attn_k.bias", "blk.0.attn_v.bias"}},
           {"qwen3", {"blk.0.attn_q_norm.weight", "blk.0.attn_k_norm.weight"}},
           {"internlm2", {"blk.0.attn_q.weight", "blk.0.attn_v.weight"}}}) {
    for (const std::string& name : names) {
      CAPTURE(name);
      CHECK(after([&](TinyFile& f) { f.tensors.erase(name); }, TinyFile::of(architecture)) == Code::model_missing_tensor);
      CHECK(after([&](TinyFile& f) { f.tensors[name].back() += 1; }, TinyFile::of(architecture)) == Code::model_invalid);
      if (architecture == "internlm2") continue;
      CHECK(after([&](TinyFile& f) { f.values[name] = {std::numeric_limits<float>::infinity()}; }, TinyFile::of(architecture)) ==
            Code::model_invalid);
      for (const char* other : {"llama", "internlm2"}) {
        CHECK(after([&](TinyFile& f) { f.tensors[name] = {4}; }, TinyFile::of(other)) == Code::model_unknown_architecture);
      }
    }
  }
  for (const char* name : {"blk.0.attn_output.bias", "blk.0.ffn_up.bias", "rope_freqs.weight"}) {
    CAPTURE(name);
    CHECK(after([&](TinyFile& f) { f.tensors[name] = {2}; }, TinyFile::of("qwen2")) == Code::model_unknown_architecture);
  }
}

TEST_CASE("the younger architectures leave no key out") {
  for (const std::string architecture : {"qwen2", "qwen3", "internlm2"}) {
    CAPTURE(architecture);
    for (const char* key : {".attention.head_count_kv", ".block_count"}) {
      CHECK(after([&](TinyFile& f) { f.sizes.erase(architecture + key); }, TinyFile::of(architecture)) == Code::model_invalid);
    }
    CHECK(after([&](TinyFile& f) { f.numbers.erase(architecture + ".rope.freq_base"); }, TinyFile::of(architecture)) == Code::model_invalid);
    CHECK(after([&](TinyFile& f) { f.texts[architecture + ".rope.scaling.type"] = "yarn"; }, TinyFile::of(architecture)) ==
          Code::model_unknown_architecture);
    CHECK(after([&](TinyFile& f) { f.sizes[architecture + ".attention.sliding_window"] = 8; }, TinyFile::of(architecture)) ==
          Code::model_unknown_architecture);
    // Keys of another architecture say nothing.
    CHECK(after([](TinyFile& f) { f.sizes["llama.expert_count"] = 8; }, TinyFile::of(architecture)) == Code::ok);
  }
}

TEST_CASE("rope factors in the file divide the frequencies of their pairs") {
  TinyFile file;
  file.tensors["rope_freqs.weight"] = {2};
  file.values["rope_freqs.weight"] = {1, 8};
  const auto model = must(file.open());
  CHECK(model->config().rope_scaling.type == RopeScaling::Type::llama3);
  CHECK(model->config().rope_scaling.factors == std::vector<float>{1, 8});
  // Head size 4, base 10000: pair 1 turns by 1/100 a position, here by 1/800.
  CHECK(double(model->rope().sin[15 * 2]) == doctest::Approx(std::sin(15.0)).epsilon(1e-6));
  CHECK(double(model->rope().sin[15 * 2 + 1]) == doctest::Approx(std::sin(15.0 / 800)).epsilon(1e-6));
  for (float factor : {0.0f, -1.0f, std::nanf(""), INFINITY}) {
    CAPTURE(factor);
    CHECK(after([&](TinyFile& f) { f.values["rope_freqs.weight"][1] = factor; }, file) == Code::model_invalid);
  }
  CHECK(after([&](TinyFile& f) { f.tensors["rope_freqs.weight"] = {3}; }, file) == Code::model_invalid);
  CHECK(after([&](TinyFile& f) { f.tensors["rope_freqs.weight"] = {2, 1}; }, file) == Code::model_invalid);
}

TEST_CASE("internlm2's q, k and v of different formats are fused as f32, those of one format in it") {
  TinyFile file = TinyFile::of("internlm2");
  file.values["blk.0.attn_q.weight"] = std::vector<float>(64, 0.25f);
  const Matrix whole = must(file.open())->weights().layers[0].qkv;
  CHECK(whole.type == BlockType::f32);
  CHECK(whole.rows == 16);
  CHECK(whole.cols == 8);
  file.halved = "blk.0.attn_v.weight";
  const auto mixed = must(file.open());
  const Matrix& fused = mixed->weights().layers[0].qkv;
  CHECK(fused.type == BlockType::f32);
  std::vector<float> row(8);
  decode_row(fused, 7, row.data());  // the last row of the second query head
  CHECK(row == std::vector<float>(8, 0.25f));
  decode_row(fused, 8, row.data());
  CHECK(row == std::vector<float>(8, 0.0f));
}

TEST_CASE("a file that is not there or not GGUF keeps the reader's code") {
  CHECK(Model::open(fixture("none.gguf"), Precision::f32, make_reference_backend()).status().code == Code::model_unreadable);
  CHECK(Model::open(fixture("README.md"), Precision::f32, make_reference_backend()).status().code == Code::model_unknown_format);
}

TEST_CASE("a norm is stored as one row of any type, and refused as a matrix") {
  for (const char* name : {"blk.0.attn_norm.weight", "blk.0.ffn_norm.weight", "output_norm.weight"}) {
    for (bool halved : {false, true}) {
      CAPTURE(name);
      TinyFile file;
      if (halved) file.halved = name;
      CHECK(file.open().ok());
      file.tensors[name] = {8, 1};
      const auto model = file.open();
      CHECK(model.status().code == Code::model_invalid);
      CHECK(model.status().message.find(name) != std::string::npos);
    }
  }
}

TEST_CASE("a norm with a value that is not finite is refused by name") {
  for (const char* name : {"blk.0.attn_norm.weight", "blk.0.ffn_norm.weight", "output_norm.weight"}) {
    TinyFile file;
    CHECK(file.open().ok());
    file.values[name] = {std::numeric_limits<float>::quiet_NaN()};
    const auto model = file.open();
    REQUIRE_FALSE(model.ok());
    CHECK(model.status().code == Code::model_invalid);
    CHECK(model.status().message.find(name) != std::string::npos);
  }
}

}  // namespace namesake::test
