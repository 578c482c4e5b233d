// PTX text as tokens. PTX ISA, "Source Format", "Comments" and "Identifiers".
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace ptxcpu {

/// One word, number, string or sign, with the line that it stands on (from 1).
struct Token {
  std::string text;
  int line = 0;
};

/// The tokens of `ptx`, up to its end or first NUL. Dots belong to words, so `add.s32` and `.reg` are one token each, and so do the
/// double colons of `shared::cta`. Comments are left out; nothing is refused here.
std::vector<Token> tokens_of(std::string_view ptx);

}  // namespace ptxcpu
