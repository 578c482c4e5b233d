// JSON: getters mind kinds and ranges; what the writer writes reads back the same.
#include "formats/json.h"

#include <cmath>
#include <limits>

#include "doctest/doctest.h"
#include "formats/temporary_folder.h"

namespace namesake {

TEST_CASE("json: getters give a value of their own kind or leave it alone") {
  const Result<JsonObject> parsed = JsonObject::parse(
      R"({"s":"名\u0000","i":-3,"whole":16.0,"half":0.5,"huge":18446744073709551615,"t":true,"n":null,)"
      R"("list":["q_proj","v_proj"],"mixed":["a",1],"none":[],"whole numbers":[3,-1,2.0],"halves":[1,0.5],"o":{"a":1}})",
      Code::adapter_invalid);
  REQUIRE_MESSAGE(parsed.ok(), parsed.status().message);
  const JsonObject& object = parsed.value();
  std::string s;
  std::int64_t i = 0;
  double f = 0;
  bool b = false;
  std::vector<std::string> list = {"before"};
  CHECK((object.get_string("s", s) && s == std::string("名\0", 4)));
  CHECK((object.get_i64("i", i) && i == -3));
  CHECK((object.get_i64("whole", i) && i == 16));
  CHECK_FALSE(object.get_i64("half", i));
  CHECK_FALSE(object.get_i64("huge", i));
  CHECK_FALSE(object.get_i64("s", i));
  CHECK(i == 16);
  CHECK((object.get_f64("i", f) && f == -3));
  CHECK((object.get_f64("half", f) && f == 0.5));
  CHECK_FALSE(object.get_f64("t", f));
  CHECK((object.get_bool("t", b) && b));
  CHECK_FALSE(object.get_bool("n", b));
  CHECK_FALSE(object.get_strings("mixed", list));
  CHECK_FALSE(object.get_strings("s", list));
  CHECK(list == std::vector<std::string>{"before"});
  CHECK((object.get_strings("list", list) && list == std::vector<std::string>{"q_proj", "v_proj"}));
  CHECK((object.get_strings("none", list) && list.empty()));
  std::vector<std::int64_t> numbers = {7};
  for (const char* key : {"halves", "mixed", "i", "absent"}) CHECK_FALSE(object.get_i64s(key, numbers));
  CHECK(numbers == std::vector<std::int64_t>{7});
  CHECK((object.get_i64s("whole numbers", numbers) && numbers == std::vector<std::int64_t>{3, -1, 2}));
  CHECK((object.get_i64s("none", numbers) && numbers.empty()));
  CHECK(object.kind("n") == JsonKind::null);
  CHECK(object.kind("absent") == JsonKind::absent);
  CHECK(object.kind("o") == JsonKind::object);
  CHECK(object.kind("list") == JsonKind::array);
  CHECK(object.kind("half") == JsonKind::number);
  CHECK(object.size("list") == 2);
  CHECK(object.size("o") == 1);
  CHECK(object.size("s") == 0);
}

TEST_CASE("json: an object inside, and one of texts only") {
  const Result<JsonObject> parsed = JsonObject::parse(
      R"({"map":{"b":"2","a":"1"},"none":{},"mixed":{"a":"1","b":2},"twice":{"a":"1","a":"2"},"list":["a"]})", Code::model_invalid);
  REQUIRE_MESSAGE(parsed.ok(), parsed.status().message);
  std::map<std::string, std::string> map = {{"before", ""}};
  for (const char* key : {"mixed", "twice", "list", "absent"}) CHECK_FALSE(parsed.value().get_string_map(key, map));
  CHECK(map.contains("before"));
  CHECK((parsed.value().get_string_map("map", map) && map == std::map<std::string, std::string>{{"a", "1"}, {"b", "2"}}));
  CHECK((parsed.value().get_string_map("none", map) && map.empty()));

  for (const char* key : {"twice", "list", "absent"}) CHECK_FALSE(parsed.value().get_object(key));
  std::optional<JsonObject> inner;
  {
    const Result<JsonObject> outer = JsonObject::parse(R"({"deep":{"o":{"i":3}}})", Code::model_invalid);
    inner = outer.value().get_object("deep")->get_object("o");
  }
  std::int64_t i = 0;
  REQUIRE(inner);
  CHECK((inner->get_i64("i", i) && i == 3));  // the text lives as long as a part of it
}

TEST_CASE("json: what is not one strict object is refused with the caller's code") {
  for (const char* text : {"", "[]", "1", "{", "{\"a\":1,}", "{\"a\":NaN}", "{\"a\":1}x", "{'a':1}", "{\"a\":1,\"a\":2}", "\xef\xbb\xbf{}",
                           "{\"\xff\":1}"}) {
    CAPTURE(text);
    CHECK(JsonObject::parse(text, Code::checkpoint_invalid).status().code == Code::checkpoint_invalid);
  }
  const test::TemporaryFolder folder;
  CHECK(JsonObject::read(folder / "absent", Code::adapter_unreadable, Code::adapter_invalid).status().code == Code::adapter_unreadable);
  test::write_text(folder / "empty", "");
  CHECK(JsonObject::read(folder / "empty", Code::adapter_unreadable, Code::adapter_invalid).status().code == Code::adapter_invalid);
  test::write_text(folder / "good", "{\"r\": 16}\n");
  const Result<JsonObject> good = JsonObject::read(folder / "good", Code::adapter_unreadable, Code::adapter_invalid);
  REQUIRE(good.ok());
  std::int64_t rank = 0;
  CHECK((good.value().get_i64("r", rank) && rank == 16));
}

TEST_CASE("json: the writer's text reads back the same") {
  const double values[] = {0.1, 1e-300, -0.0, 1.0 / 3, 5e-324, 1.7976931348623157e308, 16};
  JsonWriter writer;
  writer.string("path", "C:\\名\n\"x\"").i64("least", std::numeric_limits<std::int64_t>::min()).boolean("t", true).null("n");
  writer.strings("list", {"b", "a"}).i64s("numbers", {5, -2});
  for (std::size_t i = 0; i < std::size(values); ++i) writer.f64("f" + std::to_string(i), values[i]);
  const Result<std::string> text = writer.finish();
  REQUIRE_MESSAGE(text.ok(), text.status().message);
  CHECK(text.value().ends_with("}\n"));
  CHECK(text.value().find("\"path\"") < text.value().find("\"least\""));

  const Result<JsonObject> read = JsonObject::parse(text.value(), Code::internal);
  REQUIRE_MESSAGE(read.ok(), read.status().message);
  std::string s;
  std::int64_t i64 = 0;
  std::vector<std::string> list;
  CHECK((read.value().get_string("path", s) && s == "C:\\名\n\"x\""));
  CHECK((read.value().get_i64("least", i64) && i64 == std::numeric_limits<std::int64_t>::min()));
  CHECK((read.value().get_strings("list", list) && list == std::vector<std::string>{"b", "a"}));
  std::vector<std::int64_t> numbers;
  CHECK((read.value().get_i64s("numbers", numbers) && numbers == std::vector<std::int64_t>{5, -2}));
  CHECK(read.value().kind("n") == JsonKind::null);
  for (std::size_t i = 0; i < std::size(values); ++i) {
    double value = 7;
    REQUIRE(read.value().get_f64("f" + std::to_string(i), value));
    CHECK(value == values[i]);
    CHECK(std::signbit(value) == std::signbit(values[i]));
  }
  CHECK(JsonWriter().f64("nan", std::nan("")).finish().status().code == Code::internal);
  CHECK(JsonWriter().string("s", "\xff").finish().status().code == Code::internal);
}

}  // namespace namesake
