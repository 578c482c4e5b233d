// JSON: as much as the JSON files of adapters, checkpoints and models need, over yyjson.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "namesake/status.h"

namespace namesake {

enum class JsonKind { absent, null, boolean, number, string, array, object };

/// A JSON text whose root is an object; the getters look at its own keys. A key that appears twice is refused by parse.
class JsonObject {
 public:
  /// `invalid` is the code for text that is not strict JSON (UTF-8, no comments) or not an object.
  static Result<JsonObject> parse(std::string_view text, Code invalid);
  /// Reads and parses a file of at most 16 MiB; `unreadable` is the code when it cannot be read.
  static Result<JsonObject> read(const std::string& path, Code unreadable, Code invalid);

  JsonObject(JsonObject&&) noexcept;
  JsonObject& operator=(JsonObject&&) noexcept;
  ~JsonObject();

  JsonKind kind(std::string_view key) const;
  /// Elements of an array or members of an object; 0 for anything else.
  std::size_t size(std::string_view key) const;

  // False when the key is absent or of another kind; `out` is left alone then.
  bool get_string(std::string_view key, std::string& out) const;
  bool get_f64(std::string_view key, double& out) const;         ///< any number
  bool get_i64(std::string_view key, std::int64_t& out) const;   ///< whole numbers that fit; 16.0 counts as 16
  bool get_bool(std::string_view key, bool& out) const;
  bool get_strings(std::string_view key, std::vector<std::string>& out) const;   ///< an array of strings only
  bool get_i64s(std::string_view key, std::vector<std::int64_t>& out) const;     ///< an array of such whole numbers only
  /// An object of strings only, no key twice.
  bool get_string_map(std::string_view key, std::map<std::string, std::string>& out) const;
  /// An object, no key twice; it shares the text with this one.
  std::optional<JsonObject> get_object(std::string_view key) const;

 private:
  struct Impl;
  explicit JsonObject(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Writes one object, keys in the order of the calls. Text must be UTF-8, numbers finite: finish() says internal otherwise.
class JsonWriter {
 public:
  JsonWriter();
  ~JsonWriter();
  JsonWriter(const JsonWriter&) = delete;
  JsonWriter& operator=(const JsonWriter&) = delete;

  JsonWriter& string(std::string_view key, std::string_view value);
  JsonWriter& f64(std::string_view key, double value);   ///< shortest text that reads back as the same double
  JsonWriter& i64(std::string_view key, std::int64_t value);
  JsonWriter& boolean(std::string_view key, bool value);
  JsonWriter& null(std::string_view key);
  JsonWriter& strings(std::string_view key, const std::vector<std::string>& values);
  JsonWriter& i64s(std::string_view key, const std::vector<std::int64_t>& values);

  /// The text, two spaces of indentation, a newline at the end.
  Result<std::string> finish() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace namesake
