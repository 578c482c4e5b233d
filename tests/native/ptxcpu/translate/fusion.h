// Neighbouring matrix instructions meet once. PTX ISA, "Warp Level Matrix Multiply-Accumulate Instructions" and "ldmatrix".
#pragma once
#include <map>
#include <set>
#include <string>
#include <vector>

#include "translate/emitter.h"

namespace ptxcpu {

/// Instructions that share one rendezvous of the whole warp. Every lane brings an array of slots; what the group computes passes from
/// one instruction to the next in them, and goes back to the registers at the end.
class MatrixGroup {
 public:
  explicit MatrixGroup(Emitter& emitter) : e_(emitter) {}
  /// Is it mma, ldmatrix or wmma.mma without a guard? Only those can be in a group.
  static bool takes(const Instruction& instruction);
  /// Adds the selected instruction; false where it needs, outside the slots, what the group has computed (an address). Throws
  /// UnknownInstruction for a shape or type that the stand-in does not have.
  bool add();
  /// May `instruction` run before the group, though it stands among its members? True of arithmetic on registers that the group
  /// neither writes nor, where it writes them, reads.
  bool lets_pass(const Instruction& instruction) const;
  bool empty() const { return members_ == 0; }
  unsigned members() const { return members_; }
  /// A function `name` that runs the group, and the statements that call it.
  std::string function(const std::string& name) const;
  std::string call(const std::string& name, const std::string& site) const;

 private:
  using Operands = std::vector<Operand>;
  bool add_ldmatrix();
  void add_product();
  /// The function of a product with its arguments' types, and 2·M·N·K.
  struct Product {
    std::string function;
    int flop;
  };
  Product mma() const;
  Product wmma() const;
  const Symbol* reg(const Operand& operand) const;
  /// The first of the consecutive slots that hold these values.
  int input(const Operands& values);
  int output(const Operands& registers);
  void wrote(const Operands& registers, int first);

  Emitter& e_;
  unsigned members_ = 0;
  int slots_ = 0;
  std::string inputs_, operations_;
  std::map<std::string, int> slot_of_;
  std::map<std::string, std::string> written_;  ///< registers to set at the end, with their types
  std::set<std::string> read_;
};

}  // namespace ptxcpu
