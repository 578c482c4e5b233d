// Small helpers for text that is put together: the translator writes C++ and everything else writes messages.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace ptxcpu {

inline std::string to_text(const std::string& value) { return value; }
inline std::string to_text(std::string_view value) { return std::string(value); }
inline std::string to_text(const char* value) { return value; }
template <class Number>
  requires std::is_arithmetic_v<Number>
std::string to_text(Number value) {
  return std::to_string(value);
}

/// `form` with each '$' replaced by the next of `args`: strings as they are, numbers in decimal.
template <class... Args>
std::string text(std::string_view form, const Args&... args) {
  std::string out;
  [[maybe_unused]] const auto next = [&](const std::string& value) {
    const std::size_t at = form.find('$');
    out.append(form.substr(0, at)).append(value);
    form.remove_prefix(at == form.npos ? form.size() : at + 1);
  };
  (next(to_text(args)), ...);
  return out.append(form);
}

/// `value` as 0x… without a suffix.
std::string hex(std::uint64_t value);

}  // namespace ptxcpu
