// UTF-8 (RFC 3629): well-formedness, and text that is safe to put into a message.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace namesake {

/// Length of the well-formed character at the front of `text`, 0 if there is none: no overlong forms, surrogates or > U+10FFFF.
inline std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const auto tail = [&](std::size_t i) { return (byte(i) & 0xc0u) == 0x80u; };
  if (text.empty()) return 0;
  const unsigned lead = byte(0), second = byte(1);
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead <= 0xdf) return tail(1) ? 2 : 0;
  if (lead >= 0xe0 && lead <= 0xef) {
    if (!tail(1) || !tail(2) || (lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f)) return 0;
    return 3;
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    if (!tail(1) || !tail(2) || !tail(3) || (lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second > 0x8f)) return 0;
    return 4;
  }
  return 0;
}

inline bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

/// Text from a file in quotes for a message: at most 80 bytes, control characters and broken UTF-8 as \xNN.
inline std::string quoted(std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string result = "\"";
  while (!text.empty()) {
    if (result.size() > 80) return result + "…\"";
    const std::size_t length = utf8_length(text);
    const unsigned lead = static_cast<unsigned char>(text[0]);
    if (length == 0 || lead < 0x20 || lead == 0x7f) {
      result += {'\\', 'x', kHex[lead >> 4], kHex[lead & 15]};
      text.remove_prefix(1);
    } else {
      result += text.substr(0, length);
      text.remove_prefix(length);
    }
  }
  return result + "\"";
}

}  // namespace namesake
