#include "ptx/lexer.h"

#include <cctype>

namespace ptxcpu {
namespace {

bool is_space(char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; }

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '$' || c == '%' || c == '.'; }

/// Where the word that starts at `at` ends.
std::size_t end_of_word(std::string_view ptx, std::size_t at) {
  while (at < ptx.size()) {
    if (is_word(ptx[at])) {
      ++at;
    } else if (ptx.substr(at, 2) == "::") {
      at += 2;
    } else {
      break;
    }
  }
  return at;
}

}  // namespace

std::vector<Token> tokens_of(std::string_view ptx) {
  ptx = ptx.substr(0, ptx.find('\0'));
  std::vector<Token> tokens;
  int line = 1;
  for (std::size_t at = 0; at < ptx.size();) {
    const std::string_view rest = ptx.substr(at);
    std::size_t length = 1;
    if (rest[0] == '\n') {
      ++line;
    } else if (is_space(rest[0])) {
      // Nothing but a place between two tokens.
    } else if (rest.starts_with("//")) {
      length = std::min(rest.find('\n'), rest.size());
    } else if (rest.starts_with("/*")) {
      length = std::min(rest.find("*/", 2), rest.size() - 2) + 2;
      for (const char c : rest.substr(0, length)) line += c == '\n';
    } else if (rest[0] == '"') {
      length = std::min(rest.find('"', 1), rest.size() - 1) + 1;
      tokens.push_back({std::string(rest.substr(1, length - 2)), line});
    } else {
      if (is_word(rest[0])) length = end_of_word(ptx, at) - at;
      tokens.push_back({std::string(rest.substr(0, length)), line});
    }
    at += length;
  }
  return tokens;
}

}  // namespace ptxcpu
