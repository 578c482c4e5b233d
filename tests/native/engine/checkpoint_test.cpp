// Checkpoints that are damaged, of another run, or that cannot be written.
#include <cmath>
#include <cstring>
#include <filesystem>

#include "engine/golden.h"

namespace namesake::test {

namespace {

const std::string kName = "tiny-llama";

struct Run {
  std::shared_ptr<Model> model = open_model(kName, make_reference_backend());
  std::shared_ptr<Adapter> adapter = golden_adapter(kName, *model);
  TrainerOptions options;
  std::unique_ptr<Trainer> trainer = must(Trainer::create(model, adapter, options));
};

}  // namespace

TEST_CASE("a checkpoint holds four files and says where it was made") {
  TemporaryFolder folder;
  Run run;
  must(run.trainer->step(std::vector<Batch>{pack(read_golden(kName).batch)}));
  must(run.trainer->save_checkpoint(folder / "c", "tiny \"base\""));
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "c")) files += entry.is_regular_file();
  CHECK(files == 4);
  const std::string state = read_text(folder / "c/trainer_state.json");
  CHECK(state.find("\"step\": 1") != std::string::npos);
  CHECK(state.find("\"backend\": \"reference\"") != std::string::npos);
  CHECK(state.find("\"isa\": \"scalar\"") != std::string::npos);
  CHECK(read_text(folder / "c/adapter_config.json").find("tiny \\\"base\\\"") != std::string::npos);
}

TEST_CASE("damaged and foreign checkpoints are refused, and the trainer stays as it was") {
  TemporaryFolder folder;
  Run run;
  must(run.trainer->step(std::vector<Batch>{pack(read_golden(kName).batch)}));
  must(run.trainer->save_checkpoint(folder / "good", "tiny"));
  const auto before = state_of(*run.adapter);

  int copies = 0;
  const auto code_after = [&](const std::function<void(const std::string&)>& damage) {
    const std::string copy = (folder / "copy-" + std::to_string(copies++));
    std::filesystem::copy(folder / "good", copy);
    damage(copy);
    const Code code = run.trainer->load_checkpoint(copy).code;
    CHECK(state_of(*run.adapter) == before);
    CHECK(run.trainer->step_count() == 1);
    return code;
  };
  const auto remove = [](const char* file) {
    return [file](const std::string& copy) { std::filesystem::remove(copy + "/" + file); };
  };
  const auto cut = [](const char* file) {
    return [file](const std::string& copy) { std::filesystem::resize_file(copy + "/" + file, 100); };
  };
  const auto replace = [](const char* from, const char* to) {
    return [from, to](const std::string& copy) {
      std::string text = read_text(copy + "/trainer_state.json");
      REQUIRE(text.find(from) != std::string::npos);
      write_text(copy + "/trainer_state.json", text.replace(text.find(from), std::string(from).size(), to));
    };
  };
  CHECK(run.trainer->load_checkpoint(folder / "none").code == Code::checkpoint_invalid);
  CHECK(code_after(remove("trainer_state.json")) == Code::checkpoint_invalid);
  CHECK(code_after(remove("optimizer.safetensors")) == Code::checkpoint_invalid);
  CHECK(code_after(remove("adapter_model.safetensors")) == Code::adapter_unreadable);
  CHECK(code_after(remove("adapter_config.json")) == Code::adapter_unreadable);
  CHECK(code_after(cut("optimizer.safetensors")) == Code::checkpoint_invalid);
  CHECK(code_after(cut("adapter_model.safetensors")) == Code::adapter_invalid);
  CHECK(code_after(cut("trainer_state.json")) == Code::checkpoint_invalid);
  CHECK(code_after(replace("\"version\": 1", "\"version\": 2")) == Code::checkpoint_invalid);
  CHECK(code_after(replace("\"step\": 1", "\"step\": -1")) == Code::checkpoint_invalid);
  CHECK(code_after(replace("\"step\"", "\"stop\"")) == Code::checkpoint_invalid);
  CHECK(code_after(replace("\"linear\"", "\"cosine\"")) == Code::checkpoint_invalid);
  CHECK(code_after(replace("\"beta1\"", "\"beta0\"")) == Code::checkpoint_invalid);
  CHECK(code_after([](const std::string& copy) {
          std::filesystem::copy_file(copy + "/adapter_model.safetensors", copy + "/optimizer.safetensors",
                                     std::filesystem::copy_options::overwrite_existing);
        }) == Code::checkpoint_invalid);
  // The file ends in a second moment, which is a mean of squares.
  for (float wrong : {-1.0f, INFINITY, NAN}) {
    CHECK(code_after([wrong](const std::string& copy) {
            std::string bytes = read_text(copy + "/optimizer.safetensors");
            std::memcpy(bytes.data() + bytes.size() - sizeof wrong, &wrong, sizeof wrong);
            write_text(copy + "/optimizer.safetensors", bytes);
          }) == Code::checkpoint_invalid);
  }

  TrainerOptions other = run.options;
  other.lr *= 2;
  const auto trainer = must(Trainer::create(run.model, golden_adapter(kName, *run.model), other));
  CHECK(trainer->load_checkpoint(folder / "good").code == Code::checkpoint_invalid);
  const auto wide = must(Trainer::create(run.model, must(Adapter::create(*run.model, 8, 8, 1, true)), run.options));
  CHECK(wide->load_checkpoint(folder / "good").code == Code::adapter_mismatch);
}

TEST_CASE("a checkpoint that cannot be written leaves nothing behind; what an earlier crash left is replaced") {
  TemporaryFolder folder;
  Run run;
  CHECK(run.trainer->save_checkpoint(folder / "missing/step", "tiny").code == Code::disk_unwritable);
  CHECK_FALSE(std::filesystem::exists(folder / "missing"));

  // The folder's name is taken by one with contents: the rename fails at the very end.
  std::filesystem::create_directory(folder / "taken");
  write_text(folder / "taken/file", "keep");
  CHECK(run.trainer->save_checkpoint(folder / "taken", "tiny").code == Code::disk_unwritable);
  CHECK_FALSE(std::filesystem::exists(folder / "taken.tmp"));
  CHECK(read_text(folder / "taken/file") == "keep");

  std::filesystem::create_directory(folder / "step.tmp");
  write_text(folder / "step.tmp/half-written", "x");
  must(run.trainer->save_checkpoint(folder / "step", "tiny"));
  CHECK_FALSE(std::filesystem::exists(folder / "step/half-written"));
  CHECK_FALSE(std::filesystem::exists(folder / "step.tmp"));
}

}  // namespace namesake::test
