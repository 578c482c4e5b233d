#include "ptx/parser.h"

#include <set>

#include "ptx/text.h"
#include "ptx/types.h"

namespace ptxcpu {
namespace {

std::uint64_t align_up(std::uint64_t value, std::uint64_t align) { return align ? (value + align - 1) / align * align : value; }

}  // namespace

Module parse(std::string_view ptx) { return Parser(ptx).module(); }

const std::string& Parser::peek(std::size_t ahead) const {
  static const std::string none;
  return at_ + ahead < tokens_.size() ? tokens_[at_ + ahead].text : none;
}

std::string Parser::take() {
  if (at_ >= tokens_.size()) fail("the text ends in the middle of a statement");
  return tokens_[at_++].text;
}

bool Parser::accept(const char* word) {
  if (at_ >= tokens_.size() || tokens_[at_].text != word) return false;
  ++at_;
  return true;
}

void Parser::expect(const char* word) {
  if (!accept(word)) fail(text("expected '$', found '$'", word, peek()));
}

void Parser::skip_past(const char* word) {
  while (take() != word) {
  }
}

void Parser::skip_line() {
  const int here = line();
  while (at_ < tokens_.size() && line() == here) ++at_;
}

int Parser::line() const { return at_ < tokens_.size() ? tokens_[at_].line : tokens_.empty() ? 0 : tokens_.back().line; }

void Parser::fail(const std::string& message) const { throw PtxError(line(), message); }

// .param .align N .type [.ptr .space .align N] name[size]
Parameter Parser::parameter() {
  Parameter param;
  expect(".param");
  bool pointee = false;
  std::uint64_t align = 0;
  while (peek().starts_with(".")) {
    const std::string word = take().substr(1);
    if (word == "align") {
      const std::uint64_t value = number(take());
      if (!pointee) align = value;
    } else if (word == "ptr") {
      pointee = true;
    } else if (is_type(word)) {
      param.type = word;
    }
  }
  param.size = size_of(param.type);
  if (peek() != ")" && peek() != "," && peek() != "[") param.name = take();
  if (accept("[")) {
    param.size *= peek() == "]" ? 0 : number(take());
    expect("]");
  }
  param.align = align ? align : size_of(param.type);
  return param;
}

std::vector<Parameter> Parser::parameters() {
  std::vector<Parameter> params;
  std::uint64_t offset = 0;
  while (!accept(")")) {
    if (accept(",")) continue;
    Parameter param = parameter();
    param.offset = align_up(offset, param.align);
    offset = param.offset + param.size;
    params.push_back(param);
  }
  return params;
}

Parser::Declaration Parser::declaration() {
  Declaration declared;
  unsigned lanes = 1;
  while (peek().starts_with(".")) {
    const std::string word = take().substr(1);
    if (word == "align") {
      declared.align = number(take());
    } else if (word == "attribute") {
      skip_past(")");
    } else if (word == "v2" || word == "v4") {
      lanes = word == "v2" ? 2 : 4;
    } else if (is_type(word)) {
      declared.type = word;
    }
  }
  declared.size = size_of(declared.type) * lanes;
  if (declared.size == 0) fail("a declaration without a known type");
  if (!declared.align) declared.align = declared.size;
  declared.name = take();
  while (accept("[")) {
    declared.size = peek() == "]" ? 0 : declared.size * number(take());
    expect("]");
  }
  if (accept("=")) initialiser(declared);
  return declared;
}

void Parser::initialiser(Declaration& declared) {
  if (!accept("{")) {
    while (peek() != ";") {
      declared.initialiser.push_back({peek(), line()});
      take();
    }
    return;
  }
  for (int depth = 1; depth > 0;) {
    const int here = line();
    const std::string word = take();
    depth += word == "{" ? 1 : word == "}" ? -1 : 0;
    if (depth > 0) declared.initialiser.push_back({word, here});
  }
}

void Parser::section() {
  skip_past("{");
  for (int depth = 1; depth > 0;) {
    const std::string word = take();
    depth += word == "{" ? 1 : word == "}" ? -1 : 0;
  }
}

Module Parser::module() {
  static const std::set<std::string> linking = {".visible", ".extern", ".weak", ".common"};
  while (at_ < tokens_.size()) {
    if (accept(";")) continue;
    const std::string word = peek();
    if (word == ".version") {
      const std::string number = peek(1);
      const std::size_t dot = number.find('.');
      module_.version = std::atoi(number.c_str()) * 10 + (dot == number.npos ? 0 : std::atoi(number.c_str() + dot + 1));
      skip_line();
    } else if (word == ".target") {
      module_.target = peek(1);
      skip_line();
    } else if (word == ".address_size" || word == ".file" || word == ".loc") {
      skip_line();
    } else if (word == ".section") {
      section();
    } else if (word == ".pragma") {
      skip_past(";");
    } else if (linking.contains(word)) {
      take();
    } else if (word == ".entry" || word == ".func") {
      take();
      function(word == ".entry");
    } else if (word == ".global" || word == ".const" || word == ".shared") {
      take();
      variables(word.substr(1));
    } else {
      fail(text("'$' is not known at module level", word));
    }
  }
  return std::move(module_);
}

void Parser::variables(const std::string& space) {
  do {
    const Declaration declared = declaration();
    const std::string cpp = "g_" + identifier(declared.name);
    Symbol symbol{.kind = space == "const" ? SymbolKind::constant : SymbolKind::global, .cpp = cpp, .type = declared.type};
    symbol.size = declared.size;
    symbol.module_level = true;
    if (space == "shared") {
      symbol.kind = declared.size == 0 ? SymbolKind::dynamic_shared : SymbolKind::shared;
      if (declared.size > 0) {
        symbol.offset = align_up(module_.shared_size, declared.align);
        module_.shared_size = symbol.offset + declared.size;
      }
    } else {
      if (module_.symbols.find(0, declared.name)) continue;
      module_.variables.push_back({declared.name, declared.type, space, cpp, declared.size, declared.align, declared.initialiser});
    }
    module_.symbols.define(0, declared.name, symbol);
  } while (accept(","));
  expect(";");
}

void Parser::function(bool entry) {
  Function made;
  made.entry = entry;
  if (accept("(")) made.results = parameters();
  made.name = take();
  made.cpp = "f_" + identifier(made.name);
  if (accept("(")) made.params = parameters();
  while (peek() != "{" && peek() != ";") {
    const std::string word = take();
    if (word != ".maxntid" && word != ".reqntid") continue;
    made.max_threads = static_cast<unsigned>(number(take()));
    while (accept(",")) made.max_threads *= static_cast<unsigned>(number(take()));
  }
  Function* known = const_cast<Function*>(module_.function(made.name));
  module_.symbols.define(0, made.name, {.kind = SymbolKind::function, .cpp = made.cpp, .type = ""});
  if (accept(";")) {
    if (!known) module_.functions.push_back(std::move(made));
    return;
  }
  expect("{");
  made.defined = true;
  body(made);
  if (known) {
    *known = std::move(made);
  } else {
    module_.functions.push_back(std::move(made));
  }
}

}  // namespace ptxcpu
