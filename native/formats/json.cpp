#include "formats/json.h"

#include <cmath>
#include <cstdlib>
#include <set>
#include <utility>

#include "formats/mapped_file.h"
#include "formats/utf8.h"
#include "yyjson.h"

namespace namesake {

namespace {

constexpr std::size_t kMaxFileBytes = std::size_t{16} << 20;

struct FreeDocument {
  void operator()(yyjson_doc* document) const { yyjson_doc_free(document); }
  void operator()(yyjson_mut_doc* document) const { yyjson_mut_doc_free(document); }
};

std::string_view text_of(yyjson_val* value) { return {yyjson_get_str(value), yyjson_get_len(value)}; }

/// A whole number that fits; 16.0 counts as 16.
bool whole_number(yyjson_val* value, std::int64_t& out) {
  if (yyjson_is_real(value)) {
    const double number = yyjson_get_real(value);
    if (number != std::trunc(number) || std::fabs(number) > 0x1p53) return false;
    out = static_cast<std::int64_t>(number);
    return true;
  }
  // Unsigned values above the signed maximum do not fit.
  if (!yyjson_is_int(value) || (yyjson_is_uint(value) && yyjson_get_uint(value) > INT64_MAX)) return false;
  out = yyjson_get_sint(value);
  return true;
}

/// An array of which read(element, value) takes every element. `out` is left alone where it does not.
template <class Value, class Read>
bool whole_array(yyjson_val* array, std::vector<Value>& out, Read read) {
  if (!yyjson_is_arr(array)) return false;
  std::vector<Value> values(yyjson_arr_size(array));
  yyjson_val* value;
  std::size_t i, count;
  yyjson_arr_foreach(array, i, count, value) {
    if (!read(value, values[i])) return false;
  }
  out = std::move(values);
  return true;
}

/// The first key of an object that appears a second time.
std::optional<std::string_view> repeated_key(yyjson_val* object) {
  std::set<std::string_view> keys;
  yyjson_val *key, *value;
  std::size_t i, count;
  yyjson_obj_foreach(object, i, count, key, value) {
    if (!keys.insert(text_of(key)).second) return text_of(key);
  }
  return {};
}

}  // namespace

struct JsonObject::Impl {
  std::shared_ptr<yyjson_doc> document;
  yyjson_val* object = nullptr;

  yyjson_val* at(std::string_view key) const { return yyjson_obj_getn(object, key.data(), key.size()); }
};

JsonObject::JsonObject(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
JsonObject::JsonObject(JsonObject&&) noexcept = default;
JsonObject& JsonObject::operator=(JsonObject&&) noexcept = default;
JsonObject::~JsonObject() = default;

Result<JsonObject> JsonObject::parse(std::string_view text, Code invalid) {
  auto impl = std::make_unique<Impl>();
  yyjson_read_err error;
  // Without the in-situ flag the text is only read; the cast is the API's.
  impl->document.reset(yyjson_read_opts(const_cast<char*>(text.data()), text.size(), YYJSON_READ_NOFLAG, nullptr, &error),
                       FreeDocument());
  if (impl->document == nullptr) {
    return Status::error(invalid, "not JSON at byte " + std::to_string(error.pos) + ": " + error.msg);
  }
  impl->object = yyjson_doc_get_root(impl->document.get());
  if (!yyjson_is_obj(impl->object)) return Status::error(invalid, "the JSON is not an object");
  if (const auto key = repeated_key(impl->object)) return Status::error(invalid, "the key " + quoted(*key) + " appears twice");
  return JsonObject(std::move(impl));
}

Result<JsonObject> JsonObject::read(const std::string& path, Code unreadable, Code invalid) {
  const Result<MappedFile> mapping = MappedFile::open(path, unreadable);
  if (!mapping.ok()) return mapping.status();
  const MappedFile& file = mapping.value();
  if (file.size() > kMaxFileBytes) return Status::error(invalid, path + ": is larger than 16 MiB");
  Result<JsonObject> object = parse({reinterpret_cast<const char*>(file.data()), file.size()}, invalid);
  if (!object.ok()) return Status::error(object.status().code, path + ": " + object.status().message);
  return object;
}

JsonKind JsonObject::kind(std::string_view key) const {
  switch (yyjson_get_type(impl_->at(key))) {
    case YYJSON_TYPE_NULL: return JsonKind::null;
    case YYJSON_TYPE_BOOL: return JsonKind::boolean;
    case YYJSON_TYPE_NUM: return JsonKind::number;
    case YYJSON_TYPE_STR: return JsonKind::string;
    case YYJSON_TYPE_ARR: return JsonKind::array;
    case YYJSON_TYPE_OBJ: return JsonKind::object;
    default: return JsonKind::absent;
  }
}

std::size_t JsonObject::size(std::string_view key) const {
  yyjson_val* value = impl_->at(key);
  return yyjson_is_arr(value) ? yyjson_arr_size(value) : yyjson_obj_size(value);
}

bool JsonObject::get_string(std::string_view key, std::string& out) const {
  yyjson_val* value = impl_->at(key);
  if (!yyjson_is_str(value)) return false;
  out = text_of(value);
  return true;
}

bool JsonObject::get_f64(std::string_view key, double& out) const {
  yyjson_val* value = impl_->at(key);
  if (!yyjson_is_num(value)) return false;
  out = yyjson_get_num(value);
  return true;
}

bool JsonObject::get_i64(std::string_view key, std::int64_t& out) const { return whole_number(impl_->at(key), out); }

bool JsonObject::get_i64s(std::string_view key, std::vector<std::int64_t>& out) const {
  return whole_array(impl_->at(key), out, whole_number);
}

bool JsonObject::get_bool(std::string_view key, bool& out) const {
  yyjson_val* value = impl_->at(key);
  if (!yyjson_is_bool(value)) return false;
  out = yyjson_get_bool(value);
  return true;
}

bool JsonObject::get_strings(std::string_view key, std::vector<std::string>& out) const {
  return whole_array(impl_->at(key), out, [](yyjson_val* value, std::string& text) {
    if (!yyjson_is_str(value)) return false;
    text = text_of(value);
    return true;
  });
}

bool JsonObject::get_string_map(std::string_view key, std::map<std::string, std::string>& out) const {
  yyjson_val* object = impl_->at(key);
  if (!yyjson_is_obj(object)) return false;
  std::map<std::string, std::string> strings;
  yyjson_val *name, *value;
  std::size_t i, count;
  yyjson_obj_foreach(object, i, count, name, value) {
    if (!yyjson_is_str(value) || !strings.try_emplace(std::string(text_of(name)), text_of(value)).second) return false;
  }
  out = std::move(strings);
  return true;
}

std::optional<JsonObject> JsonObject::get_object(std::string_view key) const {
  yyjson_val* object = impl_->at(key);
  if (!yyjson_is_obj(object) || repeated_key(object)) return {};
  auto impl = std::make_unique<Impl>();
  impl->document = impl_->document;
  impl->object = object;
  return JsonObject(std::move(impl));
}

struct JsonWriter::Impl {
  std::unique_ptr<yyjson_mut_doc, FreeDocument> document{yyjson_mut_doc_new(nullptr)};
  yyjson_mut_val* root = yyjson_mut_obj(document.get());
  bool complete = true;  // false once an allocation has failed

  yyjson_mut_val* text(std::string_view value) { return yyjson_mut_strncpy(document.get(), value.data(), value.size()); }
  void add(std::string_view key, yyjson_mut_val* value) { complete &= yyjson_mut_obj_add(root, text(key), value); }
};

JsonWriter::JsonWriter() : impl_(std::make_unique<Impl>()) {}
JsonWriter::~JsonWriter() = default;

JsonWriter& JsonWriter::string(std::string_view key, std::string_view value) {
  impl_->add(key, impl_->text(value));
  return *this;
}

JsonWriter& JsonWriter::f64(std::string_view key, double value) {
  impl_->add(key, yyjson_mut_real(impl_->document.get(), value));
  return *this;
}

JsonWriter& JsonWriter::i64(std::string_view key, std::int64_t value) {
  impl_->add(key, yyjson_mut_sint(impl_->document.get(), value));
  return *this;
}

JsonWriter& JsonWriter::boolean(std::string_view key, bool value) {
  impl_->add(key, yyjson_mut_bool(impl_->document.get(), value));
  return *this;
}

JsonWriter& JsonWriter::null(std::string_view key) {
  impl_->add(key, yyjson_mut_null(impl_->document.get()));
  return *this;
}

JsonWriter& JsonWriter::strings(std::string_view key, const std::vector<std::string>& values) {
  yyjson_mut_val* array = yyjson_mut_arr(impl_->document.get());
  for (const std::string& value : values) impl_->complete &= yyjson_mut_arr_append(array, impl_->text(value));
  impl_->add(key, array);
  return *this;
}

JsonWriter& JsonWriter::i64s(std::string_view key, const std::vector<std::int64_t>& values) {
  yyjson_mut_val* array = yyjson_mut_arr(impl_->document.get());
  for (std::int64_t value : values) impl_->complete &= yyjson_mut_arr_add_sint(impl_->document.get(), array, value);
  impl_->add(key, array);
  return *this;
}

Result<std::string> JsonWriter::finish() const {
  if (!impl_->complete) return Status::error(Code::memory_insufficient, "not enough memory for a JSON object");
  yyjson_write_err error;
  std::size_t length = 0;
  const std::unique_ptr<char, decltype(&std::free)> text(
      yyjson_mut_val_write_opts(impl_->root, YYJSON_WRITE_PRETTY_TWO_SPACES | YYJSON_WRITE_NEWLINE_AT_END, nullptr, &length, &error),
      std::free);
  if (text == nullptr) return Status::error(Code::internal, std::string("the JSON cannot be written: ") + error.msg);
  return std::string(text.get(), length);
}

}  // namespace namesake
