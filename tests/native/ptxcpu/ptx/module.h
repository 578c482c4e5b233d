// A PTX module as parsed: what is declared, and each function's instructions. PTX ISA, "Syntax" and "State Spaces".
#pragma once
#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <vector>

#include "ptx/lexer.h"

namespace ptxcpu {

/// PTX that cannot be parsed or translated; `what()` names the line.
struct PtxError : std::runtime_error {
  PtxError(int line, const std::string& message);
};

enum class SymbolKind {
  reg,
  local,
  param_buffer,
  shared,
  dynamic_shared,
  label,
  prototype,
  targets,
  global,
  constant,
  function,
  kernel_param,
  function_param,
};

/// What a name stands for in its scope.
struct Symbol {
  SymbolKind kind;
  std::string cpp;   ///< its C++ name
  std::string type;  ///< of a register: the C++ type that it is stored in; of everything else: PTX's
  std::uint64_t size = 0;
  std::uint64_t offset = 0;              ///< in shared memory or among the parameters
  bool module_level = false;             ///< of a shared variable: declared outside the functions
  std::vector<std::string> labels = {};  ///< of a table of branch targets
};

/// Nested scopes; number 0 is the module's, a function's body and each pair of braces open one more.
class SymbolTable {
 public:
  SymbolTable() : scopes_(1) {}
  /// A new scope inside `parent`.
  int open(int parent);
  int parent(int scope) const { return scopes_[scope].parent; }
  /// Sets `name` in `scope`, in place of what it was there.
  void define(int scope, const std::string& name, Symbol symbol);
  /// The innermost meaning of `name` from `scope` outwards, or nullptr.
  const Symbol* find(int scope, const std::string& name) const;

 private:
  struct Scope {
    int parent = -1;
    std::unordered_map<std::string, Symbol> symbols;
  };
  std::vector<Scope> scopes_;
};

/// An operand. PTX ISA, "Instruction Operands".
struct Operand {
  enum class Kind { name, literal, address, vector, pair, list, sink };
  Kind kind = Kind::sink;         ///< sink is `_`; pair is `%p|%q`; list is the parentheses of a call
  std::string text;               ///< of a name, a literal or an address' base
  std::int64_t offset = 0;        ///< added to a name or an address
  bool negated = false;           ///< `!%p`, or the minus of a literal
  std::vector<Operand> elements;  ///< of a vector, pair or list
};

/// One instruction, or the place of a label (then nothing but `label` is set).
struct Instruction {
  int line = 0;
  int scope = 0;
  std::string guard;  ///< its predicate, empty where it has none
  bool guard_negated = false;
  std::string opcode;                  ///< the first part of its spelling
  std::vector<std::string> modifiers;  ///< the parts after it
  std::vector<Operand> operands;
  std::string label;

  bool has(const char* modifier) const;
  /// As written, such as `add.s32`.
  std::string spelling() const;
};

struct Parameter {
  std::string name, type;
  std::uint64_t size = 0, align = 1, offset = 0;
};

/// A module's variable, with the tokens of its initialiser.
struct Variable {
  std::string name, type, space, cpp;
  std::uint64_t size = 0, align = 0;
  std::vector<Token> initialiser;
};

/// A register of a function, or an array in its local or parameter space.
struct Register {
  std::string cpp, type;
};
struct Buffer {
  std::string cpp;
  std::uint64_t size = 0;
  bool local = false;
};

struct Function {
  std::string name, cpp;
  bool entry = false, defined = false;
  std::vector<Parameter> params, results;
  unsigned max_threads = 0;  ///< of .maxntid or .reqntid, 0 where neither is given
  std::vector<Instruction> code;
  std::vector<Register> registers;
  std::vector<Buffer> buffers;
  std::uint64_t shared_size = 0;  ///< of its own variables, without the module's
};

struct Module {
  int version = 0;     ///< of .version, times ten: 70 for 7.0
  std::string target;  ///< such as sm_80
  std::vector<Variable> variables;
  std::vector<Function> functions;
  std::uint64_t shared_size = 0;  ///< of shared variables declared at module level
  SymbolTable symbols;

  /// The function of this name, or nullptr.
  const Function* function(const std::string& name) const;
};

/// Parses a whole module; throws PtxError.
Module parse(std::string_view ptx);

/// `.version` times ten and `.target` of PTX that need not parse otherwise; 0 and empty where they are missing.
struct Header {
  int version = 0;
  std::string target;
};
Header header_of(std::string_view ptx);

}  // namespace ptxcpu
