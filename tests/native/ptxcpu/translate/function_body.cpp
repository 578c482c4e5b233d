#include "translate/function_body.h"

#include <optional>
#include <set>

#include "ptx/text.h"
#include "translate/fusion.h"
#include "translate/instruction_table.h"

namespace ptxcpu {
namespace {

/// Writes a function's statements. Instructions are counted per stretch that runs as a whole: at its end, before it can be left.
class Body {
 public:
  Body(const Module& module, const Function& function, std::vector<int>& sites, std::vector<std::string>& unknown)
      : function_(function), unknown_(unknown), e_(module, function, sites) {}

  void emit_all() {
    const std::vector<Instruction>& code = function_.code;
    for (std::size_t i = 0; i < code.size();) {
      if (MatrixGroup::takes(code[i])) {
        i = emit_group(i);
      } else {
        emit_one(code[i++]);
      }
    }
    flush_count();
  }

  const std::string& groups() const { return groups_; }
  const std::string& statements() const { return statements_; }
  const Emitter& emitter() const { return e_; }

 private:
  void flush_count() {
    if (pending_ > 0) statements_ += text("  COUNT(thread_instructions, $);\n", pending_);
    pending_ = 0;
  }

  void emit_one(const Instruction& instruction) {
    static const std::set<std::string> leaves = {"bra", "brx", "ret", "exit", "trap"};
    e_.select(instruction);
    if (!instruction.label.empty()) {
      flush_count();
      statements_ += instruction.label + ":;\n";
      return;
    }
    ++pending_;
    if (leaves.contains(instruction.opcode)) flush_count();
    const InstructionEmitter emit = instruction_emitter(instruction.opcode);
    try {
      if (!emit) throw UnknownInstruction();
      const std::string guard = e_.guard(instruction);
      statements_ += text("  $$ }\n", guard + "{ ", emit(e_));
    } catch (const UnknownInstruction&) {
      unknown_.push_back(text("line $: $", instruction.line, instruction.spelling()));
    }
  }

  /// Emits the group that starts at `first` and the arithmetic among its members; returns what comes after.
  std::size_t emit_group(std::size_t first) {
    const std::vector<Instruction>& code = function_.code;
    e_.select(code[first]);
    const std::string site = e_.site();
    MatrixGroup group(e_);
    std::size_t at = first;
    for (; at < code.size(); ++at) {
      e_.select(code[at]);
      if (MatrixGroup::takes(code[at])) {
        try {
          if (!group.add()) break;
        } catch (const UnknownInstruction&) {
          unknown_.push_back(text("line $: $", code[at].line, code[at].spelling()));
        }
      } else if (group.lets_pass(code[at])) {
        emit_one(code[at]);
      } else {
        break;
      }
    }
    const std::string name = text("$_group$", function_.cpp, group_count_++);
    pending_ += group.members();
    groups_ += group.function(name);
    statements_ += group.call(name, site);
    return at;
  }

  const Function& function_;
  std::vector<std::string>& unknown_;
  Emitter e_;
  std::string statements_, groups_;
  unsigned pending_ = 0;
  int group_count_ = 0;
};

/// Registers, sixteen a line, and arrays; local ones start as all ones, which no float is.
std::string declarations(const Function& function) {
  std::string out, type;
  int on_line = 0;
  for (const Register& reg : function.registers) {
    const bool more = reg.type == type && on_line < 16;
    out += more ? ", " + reg.cpp : text("$  $ $", type.empty() ? "" : ";\n", reg.type, reg.cpp);
    on_line = more ? on_line + 1 : 1;
    type = reg.type;
  }
  if (!type.empty()) out += ";\n";
  for (const Buffer& buffer : function.buffers) {
    out += text("  alignas(16) u8 $[$];\n", buffer.cpp, buffer.size ? buffer.size : 1);
    if (buffer.local) out += text("  __builtin_memset($, 0xff, sizeof $);\n", buffer.cpp, buffer.cpp);
  }
  return out;
}

}  // namespace

std::string signature_of(const Function& function) {
  std::string out = text("static void $(Thread* t", function.cpp);
  if (!function.entry) {
    for (std::size_t i = 0; i < function.results.size(); ++i) out += text(", u8* ret$", i);
    for (std::size_t i = 0; i < function.params.size(); ++i) out += text(", u8* a$", i);
  }
  return out + ")";
}

TranslatedFunction translate_function(const Module& module, const Function& function, std::vector<int>& sites,
                                      std::vector<std::string>& unknown) {
  Body body(module, function, sites, unknown);
  body.emit_all();
  TranslatedFunction out;
  out.cpp = body.groups() + (function.entry ? "" : "__attribute__((noinline)) ") + signature_of(function) + " {\n" +
            "  Block* b = t->block;\n  u32 carry = 0;\n  (void)carry;\n" + declarations(function) + body.statements() + "}\n";
  out.shared_bytes = body.emitter().shared_size();
  for (const Buffer& buffer : function.buffers) out.local_bytes += buffer.local ? buffer.size : 0;
  return out;
}

}  // namespace ptxcpu
