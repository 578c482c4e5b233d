#include "ptx/module.h"

#include <algorithm>

#include "ptx/text.h"

namespace ptxcpu {

PtxError::PtxError(int line, const std::string& message) : std::runtime_error(text("PTX line $: $", line, message)) {}

int SymbolTable::open(int parent) {
  scopes_.push_back({parent, {}});
  return static_cast<int>(scopes_.size()) - 1;
}

void SymbolTable::define(int scope, const std::string& name, Symbol symbol) { scopes_[scope].symbols[name] = std::move(symbol); }

const Symbol* SymbolTable::find(int scope, const std::string& name) const {
  for (; scope >= 0; scope = scopes_[scope].parent) {
    const auto found = scopes_[scope].symbols.find(name);
    if (found != scopes_[scope].symbols.end()) return &found->second;
  }
  return nullptr;
}

bool Instruction::has(const char* modifier) const { return std::find(modifiers.begin(), modifiers.end(), modifier) != modifiers.end(); }

std::string Instruction::spelling() const {
  std::string out = opcode;
  for (const std::string& modifier : modifiers) out += "." + modifier;
  return out;
}

const Function* Module::function(const std::string& name) const {
  for (const Function& function : functions) {
    if (function.name == name) return &function;
  }
  return nullptr;
}

Header header_of(std::string_view ptx) {
  Header header;
  const std::size_t version = ptx.find(".version");
  const std::size_t target = ptx.find(".target");
  if (version == ptx.npos || target == ptx.npos) return header;
  const std::vector<Token> words = tokens_of(ptx.substr(version, 64));
  if (words.size() > 1) {
    const std::string& number = words[1].text;
    const std::size_t dot = number.find('.');
    header.version = std::atoi(number.c_str()) * 10 + (dot == number.npos ? 0 : std::atoi(number.c_str() + dot + 1));
  }
  const std::vector<Token> targets = tokens_of(ptx.substr(target, 64));
  if (targets.size() > 1) header.target = targets[1].text;
  return header;
}

}  // namespace ptxcpu
