// Recursive descent over the tokens of one module. PTX ISA, "Directives"; bodies in body_parser.cpp.
#pragma once
#include <string>
#include <vector>

#include "ptx/module.h"

namespace ptxcpu {

class Parser {
 public:
  explicit Parser(std::string_view ptx) : tokens_(tokens_of(ptx)) {}
  /// Everything that the text declares; throws PtxError.
  Module module();

 private:
  /// A declaration after its space: `.align 4 .b8 name[16] = {…}`.
  struct Declaration {
    std::string name, type;
    std::uint64_t size = 0, align = 0;
    std::vector<Token> initialiser;
  };

  // Tokens.
  const std::string& peek(std::size_t ahead = 0) const;
  std::string take();
  bool accept(const char* word);
  void expect(const char* word);
  void skip_past(const char* word);
  void skip_line();
  int line() const;
  [[noreturn]] void fail(const std::string& message) const;

  // Module level.
  Parameter parameter();
  std::vector<Parameter> parameters();
  Declaration declaration();
  void initialiser(Declaration& declared);
  void section();
  void variables(const std::string& space);
  void function(bool entry);

  // Bodies.
  void body(Function& function);
  void statement(Function& function, int scope);
  void label(Function& function, int scope);
  void registers(Function& function, int scope);
  void buffers(Function& function, int scope, const std::string& space);
  void instruction(Function& function, int scope);
  void define_params(const Function& function, int scope);
  std::string suffix(int scope) const;
  Operand operand();
  Operand address();
  std::vector<Operand> elements(const char* close);

  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  Module module_;
  int body_scope_ = 0;
};

}  // namespace ptxcpu
