#include "ptx/types.h"

#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <map>

#include "ptx/text.h"

namespace ptxcpu {
namespace {

const std::map<std::string, unsigned>& sizes() {
  static const std::map<std::string, unsigned> table = {{"pred", 1}, {"b8", 1},   {"u8", 1},     {"s8", 1},     {"b16", 2}, {"u16", 2},
                                                        {"s16", 2},  {"f16", 2},  {"bf16", 2},   {"b32", 4},    {"u32", 4}, {"s32", 4},
                                                        {"f32", 4},  {"tf32", 4}, {"f16x2", 4},  {"bf16x2", 4}, {"b64", 8}, {"u64", 8},
                                                        {"s64", 8},  {"f64", 8},  {"e4m3x2", 2}, {"e5m2x2", 2}};
  return table;
}

bool has_prefix(const std::string& literal, char lower, char upper, std::size_t length) {
  return literal.size() == length && literal[0] == '0' && (literal[1] == lower || literal[1] == upper);
}

}  // namespace

std::string hex(std::uint64_t value) {
  char digits[32];
  std::snprintf(digits, sizeof digits, "0x%llx", static_cast<unsigned long long>(value));
  return digits;
}

bool is_type(const std::string& word) { return sizes().contains(word); }

unsigned size_of(const std::string& type) {
  const auto found = sizes().find(type);
  return found == sizes().end() ? 0 : found->second;
}

bool is_floating(const std::string& type) {
  return type == "f16" || type == "bf16" || type == "f16x2" || type == "bf16x2" || type == "f32" || type == "f64";
}

std::string value_type(const std::string& type) {
  if (type == "pred") return "bool";
  if (type == "f32" || type == "f64") return type;
  return text("$$", type[0] == 's' ? "i" : "u", size_of(type) * 8);
}

std::string storage_type(const std::string& type) {
  return type == "pred" || type == "f32" || type == "f64" ? value_type(type) : bits_type(type);
}

std::string bits_type(const std::string& type) { return text("u$", size_of(type) * 8); }

unsigned cpp_size(const std::string& name) { return name == "bool" ? 1 : static_cast<unsigned>(std::atoi(name.c_str() + 1)) / 8; }

bool cpp_floating(const std::string& name) { return name[0] == 'f'; }

std::string identifier(const std::string& name) {
  std::string out;
  for (const char c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) || c == '_') {
      out += c;
    } else if (c != '%') {
      out += c == '$' ? "_S" : "_";
    }
  }
  return out;
}

bool is_f32_literal(const std::string& literal) { return has_prefix(literal, 'f', 'F', 10); }

bool is_f64_literal(const std::string& literal) { return has_prefix(literal, 'd', 'D', 18); }

std::uint64_t number(const std::string& literal) {
  if (is_f32_literal(literal) || is_f64_literal(literal)) return std::strtoull(literal.c_str() + 2, nullptr, 16);
  return std::strtoull(literal.c_str(), nullptr, 0);
}

}  // namespace ptxcpu
