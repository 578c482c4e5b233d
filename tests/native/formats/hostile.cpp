// The committed hostile models, files and folders (tests/fixtures/make_hostile.mjs): each is refused with the code that its maker
// wrote down, by the stage that must notice. The tokenizer's stage is tested where the tokenizer lives; here those files must open.
#include <filesystem>
#include <string>
#include <vector>

#include "backend/ops.h"
#include "doctest/doctest.h"
#include "formats/gguf.h"
#include "formats/json.h"
#include "formats/safetensors_model.h"
#include "namesake/model.h"

namespace namesake {

TEST_CASE("hostile models are refused with their own code") {
  const std::string folder = NAMESAKE_FIXTURES "/hostile/";
  const Result<JsonObject> expected = JsonObject::read(folder + "expected.json", Code::internal, Code::internal);
  REQUIRE_MESSAGE(expected.ok(), expected.status().message);
  const std::shared_ptr<Backend> backend = make_reference_backend();
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".gguf" && !entry.is_directory()) continue;
    const std::string name = entry.path().filename().string();
    CAPTURE(name);
    std::vector<std::string> want;  // code, stage
    REQUIRE(expected.value().get_strings(name, want));
    REQUIRE(want.size() == 2);
    ++files;

    const std::string path = entry.path().string();
    const Status directory = entry.is_directory() ? SafetensorsModel::open(path).status() : GgufFile::open(path).status();
    CHECK_MESSAGE(std::string(code_name(directory.code)) == (want[1] == "directory" ? want[0] : "ok"), directory.message);
    const Status model = Model::open(path, Precision::as_stored, backend).status();
    CHECK_MESSAGE(std::string(code_name(model.code)) == (want[1] == "tokenizer" ? "ok" : want[0]), model.message);
    CHECK(model.ok() == model.message.empty());
  }
  CHECK(files >= 160);
}

}  // namespace namesake
