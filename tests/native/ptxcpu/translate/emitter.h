// What the emitters of single instructions work with: operands as C++ expressions, and the places of memory accesses.
#pragma once
#include <string>
#include <vector>

#include "ptx/module.h"

namespace ptxcpu {

/// An instruction, or a form of one, that the stand-in does not have.
struct UnknownInstruction {};

class Emitter {
 public:
  /// `sites` gets the PTX line of each place that translated code refers to by number.
  Emitter(const Module& module, const Function& function, std::vector<int>& sites);

  /// The instruction that everything below refers to.
  void select(const Instruction& instruction) { instruction_ = &instruction; }
  const Instruction& instruction() const { return *instruction_; }
  const Function& function() const { return function_; }
  const Module& module() const { return module_; }

  // The instruction's parts.
  bool has(const char* modifier) const { return instruction_->has(modifier); }
  /// Operand i; one that is missing makes the form unknown.
  const Operand& arg(std::size_t i) const;
  std::size_t arg_count() const { return instruction_->operands.size(); }
  /// Its last type, and all of them in order.
  std::string type() const;
  std::vector<std::string> types() const;
  /// The state space that it names: global, shared, local, const, param, or empty.
  std::string space() const;
  /// Rounding by its modifiers: 0 to nearest even, 1 to zero, 2 down, 3 up.
  int rounding() const;
  [[noreturn]] void fail(const std::string& message) const;
  [[noreturn]] void unknown() const { throw UnknownInstruction(); }

  // Operands.
  const Symbol* find(const Operand& operand) const;
  /// The value of an operand as the C++ type `type`.
  std::string read(const Operand& operand, const std::string& type) const;
  /// The same, denormals flushed where the instruction has .ftz.
  std::string read_flushed(const Operand& operand, const std::string& type) const;
  /// A statement that sets a destination to the expression `value` of the C++ type `type`.
  std::string write(const Operand& operand, const std::string& type, const std::string& value) const;
  /// An address operand as a u64: an offset where `shared`, else a generic address.
  std::string address(const Operand& operand, bool shared) const;
  /// A pointer to `bytes` bytes at an address operand; `before` gets the statements that check it and count the bytes.
  std::string checked_pointer(const Operand& operand, unsigned bytes, int access, std::string& before);
  /// The C++ name of a label.
  std::string label(const std::string& name) const;
  /// The predicate of `instruction` as the head of an if, or nothing.
  std::string guard(const Instruction& instruction) const;
  /// C++ names of the registers in an operand, added to `names`.
  void registers_of(const Operand& operand, std::vector<std::string>& names) const;

  /// The number of the current instruction's place.
  std::string site();
  /// A rendezvous of the lanes of `mask`: `inputs` go to operands[0…], then `after` runs.
  std::string collective(const std::string& mask, const std::string& function, const std::string& inputs, const std::string& after);

  /// Bytes of static shared memory: the module's, where the function may use it, and its own.
  std::uint64_t shared_size() const { return shared_base_ + function_.shared_size; }

 private:
  bool uses_module_shared() const;
  std::uint64_t shared_offset(const Symbol& symbol) const;
  std::string literal(const Operand& operand, const std::string& type) const;

  const Module& module_;
  const Function& function_;
  const Instruction* instruction_ = nullptr;
  std::vector<int>& sites_;
  std::uint64_t shared_base_ = 0;
  const Buffer* only_local_ = nullptr;  ///< the function's local array where it has just one, whose bounds are then known
};

/// A register's value `expression` of the C++ type `from` as `to`: its low bits, or zeros above them.
std::string convert_bits(const std::string& expression, const std::string& from, const std::string& to);

/// A special register or constant as an expression, or nothing. PTX ISA, "Special Registers".
std::string special_register(const std::string& name);

}  // namespace ptxcpu
