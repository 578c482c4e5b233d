// Function bodies. PTX ISA, "Statements", "Instruction Operands" and "Performance-Tuning Directives".
#include <cctype>

#include "ptx/parser.h"
#include "ptx/text.h"
#include "ptx/types.h"

namespace ptxcpu {
namespace {

std::vector<std::string> split(const std::string& spelling) {
  std::vector<std::string> parts;
  for (std::size_t from = 0; from <= spelling.size();) {
    const std::size_t dot = std::min(spelling.find('.', from), spelling.size());
    parts.push_back(spelling.substr(from, dot - from));
    from = dot + 1;
  }
  return parts;
}

}  // namespace

// Names of inner scopes may hide outer ones: each scope but the body's own has a suffix in C++.
std::string Parser::suffix(int scope) const { return scope == body_scope_ ? "" : text("_s$", scope); }

void Parser::define_params(const Function& function, int scope) {
  for (std::size_t i = 0; i < function.params.size(); ++i) {
    const Parameter& param = function.params[i];
    Symbol symbol{.kind = function.entry ? SymbolKind::kernel_param : SymbolKind::function_param,
                  .cpp = function.entry ? "" : text("a$", i),
                  .type = param.type};
    symbol.size = param.size;
    symbol.offset = param.offset;
    module_.symbols.define(scope, param.name, symbol);
  }
  for (std::size_t i = 0; i < function.results.size(); ++i) {
    Symbol symbol{.kind = SymbolKind::function_param, .cpp = text("ret$", i), .type = function.results[i].type};
    symbol.size = function.results[i].size;
    module_.symbols.define(scope, function.results[i].name, symbol);
  }
}

void Parser::body(Function& function) {
  body_scope_ = module_.symbols.open(0);
  define_params(function, body_scope_);
  int scope = body_scope_;
  for (;;) {
    if (accept("{")) {
      scope = module_.symbols.open(scope);
    } else if (accept("}")) {
      if (scope == body_scope_) return;
      scope = module_.symbols.parent(scope);
    } else if (!accept(";")) {
      statement(function, scope);
    }
  }
}

void Parser::statement(Function& function, int scope) {
  const std::string word = peek();
  if (word == ".loc" || word == ".file") {
    skip_line();
  } else if (word == ".pragma") {
    skip_past(";");
  } else if (peek(1) == ":") {
    label(function, scope);
  } else if (word == ".reg") {
    take();
    registers(function, scope);
  } else if (word == ".local" || word == ".param" || word == ".shared") {
    take();
    buffers(function, scope, word.substr(1));
  } else if (word.starts_with(".")) {
    fail(text("'$' is not known inside a function", word));
  } else {
    instruction(function, scope);
  }
}

void Parser::label(Function& function, int scope) {
  const std::string name = take();
  expect(":");
  if (peek() == ".branchtargets" || peek() == ".calltargets") {
    take();
    Symbol table{.kind = SymbolKind::targets, .cpp = "", .type = ""};
    while (!accept(";")) {
      if (!accept(",")) table.labels.push_back(take());
    }
    module_.symbols.define(scope, name, table);
  } else if (peek() == ".callprototype") {
    skip_past(";");
    module_.symbols.define(scope, name, {.kind = SymbolKind::prototype, .cpp = "", .type = ""});
  } else {
    const std::string cpp = identifier(name) + suffix(scope);
    module_.symbols.define(scope, name, {.kind = SymbolKind::label, .cpp = cpp, .type = ""});
    Instruction place;
    place.line = line();
    place.scope = scope;
    place.label = cpp;
    function.code.push_back(place);
  }
}

void Parser::registers(Function& function, int scope) {
  while (peek() == ".v2" || peek() == ".v4") fail("vector registers");
  const std::string ptx_type = take().substr(1);
  if (!is_type(ptx_type)) fail(text("'$' is no type of a register", ptx_type));
  const std::string type = storage_type(ptx_type);
  const auto add = [&](const std::string& name) {
    const std::string cpp = "v_" + identifier(name) + suffix(scope);
    module_.symbols.define(scope, name, {.kind = SymbolKind::reg, .cpp = cpp, .type = type});
    function.registers.push_back({cpp, type});
  };
  do {
    const std::string name = take();
    if (accept("<")) {
      const std::uint64_t count = number(take());
      expect(">");
      for (std::uint64_t i = 0; i < count; ++i) add(text("$$", name, i));
    } else {
      add(name);
    }
  } while (accept(","));
  expect(";");
}

void Parser::buffers(Function& function, int scope, const std::string& space) {
  do {
    const Declaration declared = declaration();
    Symbol symbol{.kind = SymbolKind::shared, .cpp = "", .type = declared.type};
    symbol.size = declared.size;
    if (space == "shared") {
      symbol.offset = (function.shared_size + declared.align - 1) / declared.align * declared.align;
      function.shared_size = symbol.offset + declared.size;
    } else {
      symbol.kind = space == "local" ? SymbolKind::local : SymbolKind::param_buffer;
      symbol.cpp = "l_" + identifier(declared.name) + suffix(scope);
      function.buffers.push_back({symbol.cpp, declared.size, space == "local"});
    }
    module_.symbols.define(scope, declared.name, symbol);
  } while (accept(","));
  expect(";");
}

void Parser::instruction(Function& function, int scope) {
  Instruction made;
  made.line = line();
  made.scope = scope;
  if (accept("@")) {
    made.guard_negated = accept("!");
    made.guard = take();
  }
  std::vector<std::string> parts = split(take());
  made.opcode = parts[0];
  made.modifiers.assign(parts.begin() + 1, parts.end());
  while (!accept(";")) {
    if (!accept(",")) made.operands.push_back(operand());
  }
  function.code.push_back(std::move(made));
}

std::vector<Operand> Parser::elements(const char* close) {
  std::vector<Operand> made;
  while (!accept(close)) {
    if (!accept(",")) made.push_back(operand());
  }
  return made;
}

Operand Parser::address() {
  Operand made;
  made.kind = Operand::Kind::address;
  made.text = accept("-") ? "-" + take() : take();
  while (!accept("]")) {
    const bool minus = accept("-");
    if (!minus) expect("+");
    const std::int64_t sign = minus != accept("-") ? -1 : 1;
    made.offset += sign * static_cast<std::int64_t>(number(take()));
  }
  return made;
}

Operand Parser::operand() {
  Operand made;
  if (accept("!")) {
    made = operand();
    made.negated = !made.negated;
    return made;
  }
  if (accept("[")) return address();
  if (accept("{")) {
    made.kind = Operand::Kind::vector;
    made.elements = elements("}");
    return made;
  }
  if (accept("(")) {
    made.kind = Operand::Kind::list;
    made.elements = elements(")");
    return made;
  }
  const bool minus = accept("-");
  const std::string word = take();
  if (std::isdigit(static_cast<unsigned char>(word[0]))) {
    made.kind = Operand::Kind::literal;
    made.text = word;
    made.negated = minus;
  } else if (word != "_") {
    made.kind = Operand::Kind::name;
    made.text = word;
    if (accept("+")) made.offset = static_cast<std::int64_t>(number(take()));
  }
  if (accept("|")) {
    Operand both;
    both.kind = Operand::Kind::pair;
    both.elements = {made, operand()};
    return both;
  }
  return made;
}

}  // namespace ptxcpu
