#include "translate/data.h"

#include <cctype>

#include "ptx/text.h"
#include "ptx/types.h"

namespace ptxcpu {
namespace {

/// The address of another symbol inside an initialiser.
struct Relocation {
  std::size_t offset;
  std::string symbol;
  std::int64_t add;
};

struct Initial {
  std::vector<unsigned char> bytes;
  std::vector<Relocation> relocations;
};

bool is_number(const std::string& word) { return std::isdigit(static_cast<unsigned char>(word[0])) != 0; }

class Reader {
 public:
  explicit Reader(const Variable& variable) : variable_(variable), tokens_(variable.initialiser) {}

  Initial read() {
    while (at_ < tokens_.size()) {
      const std::string& word = tokens_[at_].text;
      if (word == "," || word == "{" || word == "}") {
        ++at_;
      } else {
        value();
      }
    }
    return std::move(out_);
  }

 private:
  std::string next() { return at_ < tokens_.size() ? tokens_[at_].text : std::string(); }

  void put(std::uint64_t value) {
    for (unsigned i = 0; i < size_of(variable_.type); ++i) out_.bytes.push_back(static_cast<unsigned char>(value >> (8 * i)));
  }

  void value() {
    const bool minus = next() == "-";
    at_ += minus;
    const std::string word = next();
    ++at_;
    if (next() == "(")
      throw PtxError(tokens_[at_].line, text("initialiser of $: masked or generic addresses are taken whole only", variable_.name));
    if (is_number(word)) {
      put(minus ? 0 - number(word) : number(word));
      return;
    }
    std::int64_t add = 0;
    if (next() == "+") {
      ++at_;
      add = static_cast<std::int64_t>(number(next()));
      ++at_;
    }
    out_.relocations.push_back({out_.bytes.size(), word, add});
    put(0);
  }

  const Variable& variable_;
  const std::vector<Token>& tokens_;
  std::size_t at_ = 0;
  Initial out_;
};

std::string byte_list(const std::vector<unsigned char>& bytes) {
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); ++i) out += text("$,$", static_cast<int>(bytes[i]), i % 32 == 31 ? "\n" : "");
  return out;
}

std::string relocation_entry(const Module& module, const Variable& variable, const Relocation& relocation) {
  const Symbol* symbol = module.symbols.find(0, relocation.symbol);
  if (!symbol)
    throw PtxError(variable.initialiser[0].line, text("initialiser of $: '$' is not declared", variable.name, relocation.symbol));
  const bool function = symbol->kind == SymbolKind::function;
  return text("{&$, $, $, $, $},\n", variable.cpp, relocation.offset, function ? "nullptr" : "&" + symbol->cpp,
              function ? "(void*)" + symbol->cpp : "nullptr", relocation.add);
}

}  // namespace

std::string address_slots(const Module& module) {
  std::string out;
  for (const Variable& variable : module.variables) out += text("static u64 $;\n", variable.cpp);
  return out;
}

std::string variable_tables(const Module& module) {
  std::string bytes, variables, relocations;
  for (const Variable& variable : module.variables) {
    const Initial initial = Reader(variable).read();
    std::string data = "nullptr, 0";
    if (!initial.bytes.empty()) {
      bytes += text("static const u8 bytes_$[] = {$};\n", variable.cpp, byte_list(initial.bytes));
      data = text("bytes_$, sizeof bytes_$", variable.cpp, variable.cpp);
    }
    variables += text("{\"$\", $, $, $, &$, $},\n", variable.name, variable.size, variable.align,
                      variable.space == "const" ? "SPACE_CONSTANT" : "SPACE_GLOBAL", variable.cpp, data);
    for (const Relocation& relocation : initial.relocations) relocations += relocation_entry(module, variable, relocation);
  }
  return text("$static const VariableInfo variables[] = {$ {}};\nstatic const RelocationInfo relocations[] = {$ {}};\n", bytes, variables,
              relocations);
}

std::size_t relocation_count(const Module& module) {
  std::size_t count = 0;
  for (const Variable& variable : module.variables) count += Reader(variable).read().relocations.size();
  return count;
}

}  // namespace ptxcpu
