// PTX ISA, "Comparison and Selection Instructions" and "Half Precision Comparison Instructions".
#include <array>
#include <map>

#include "ptx/text.h"
#include "ptx/types.h"
#include "translate/instruction_table.h"

namespace ptxcpu {
namespace {

/// The modifiers of a setp or set: the comparison, how it is combined with a predicate, and the types.
struct Comparison {
  std::string test, combine;
  std::vector<std::string> types;
};

const std::map<std::string, const char*>& integer_tests() {
  static const std::map<std::string, const char*> table = {{"eq", "=="}, {"ne", "!="}, {"lt", "<"},  {"le", "<="}, {"gt", ">"},
                                                           {"ge", ">="}, {"lo", "<"},  {"ls", "<="}, {"hi", ">"},  {"hs", ">="}};
  return table;
}

/// $ are the operands. Ordered tests are false and unordered ones true where either is NaN.
const std::map<std::string, const char*>& floating_tests() {
  static const std::map<std::string, const char*> table = {
      {"eq", "($ == $)"},
      {"ne", "__builtin_islessgreater($, $)"},
      {"lt", "($ < $)"},
      {"le", "($ <= $)"},
      {"gt", "($ > $)"},
      {"ge", "($ >= $)"},
      {"equ", "(!__builtin_islessgreater($, $))"},
      {"neu", "($ != $)"},
      {"ltu", "(!($ >= $))"},
      {"leu", "(!($ > $))"},
      {"gtu", "(!($ <= $))"},
      {"geu", "(!($ < $))"},
      {"num", "(!__builtin_isunordered($, $))"},
      {"nan", "__builtin_isunordered($, $)"},
  };
  return table;
}

Comparison parts_of(const Emitter& e) {
  Comparison found;
  for (const std::string& modifier : e.instruction().modifiers) {
    if (modifier == "and" || modifier == "or" || modifier == "xor") {
      found.combine = modifier;
    } else if (found.test.empty() && (integer_tests().contains(modifier) || floating_tests().contains(modifier))) {
      found.test = modifier;
    }
  }
  found.types = e.types();
  if (found.test.empty() || found.types.empty()) e.unknown();
  return found;
}

std::string floating_test(const Emitter& e, const std::string& test, const std::string& x, const std::string& y) {
  const auto found = floating_tests().find(test);
  if (found == floating_tests().end()) e.unknown();
  return text(found->second, x, y);
}

std::string test_of(const Emitter& e, const Comparison& comparison) {
  const std::string& type = comparison.types.back();
  const std::string x = e.read_flushed(e.arg(1), value_type(type)), y = e.read_flushed(e.arg(2), value_type(type));
  if (type == "f16" || type == "bf16") {
    return floating_test(e, comparison.test, text("$_to_f32($)", type, x), text("$_to_f32($)", type, y));
  }
  if (is_floating(type)) return floating_test(e, comparison.test, x, y);
  const auto found = integer_tests().find(comparison.test);
  if (found == integer_tests().end()) e.unknown();
  return text("($ $ $)", x, found->second, y);
}

/// Tests of the low and of the high half of a pair.
std::array<std::string, 2> pair_tests(const Emitter& e, const Comparison& comparison) {
  const std::string type = comparison.types.back() == "f16x2" ? "f16" : "bf16";
  const std::string x = e.read(e.arg(1), "u32"), y = e.read(e.arg(2), "u32");
  const auto half = [&](const std::string& word, int shift) { return text("$_to_f32((u16)($ >> $))", type, word, shift); };
  return {floating_test(e, comparison.test, half(x, 0), half(y, 0)), floating_test(e, comparison.test, half(x, 16), half(y, 16))};
}

std::string combined(const Emitter& e, const Comparison& comparison, const std::string& test) {
  if (comparison.combine.empty()) return text("(bool)$", test);
  const std::string sign = comparison.combine == "and" ? "&" : comparison.combine == "or" ? "|" : "^";
  return text("((bool)$ $ $)", test, sign, e.read(e.arg(3), "bool"));
}

}  // namespace

// setp, with one or two predicates.
std::string emit_setp(Emitter& e) {
  const Comparison comparison = parts_of(e);
  const Operand& to = e.arg(0);
  if (comparison.types.back().ends_with("x2")) {
    if (to.kind != Operand::Kind::pair || !comparison.combine.empty()) e.unknown();
    const auto [low, high] = pair_tests(e, comparison);
    return text("bool x_ = $, y_ = $; ", low, high) + e.write(to.elements[0], "bool", "x_") + " " + e.write(to.elements[1], "bool", "y_");
  }
  const std::string test = test_of(e, comparison);
  if (to.kind != Operand::Kind::pair) return e.write(to, "bool", combined(e, comparison, test));
  return text("bool w_ = $, x_ = $, y_ = $; ", test, combined(e, comparison, "w_"), combined(e, comparison, "(!w_)")) +
         e.write(to.elements[0], "bool", "x_") + " " + e.write(to.elements[1], "bool", "y_");
}

// set: all ones or 1.0 for true.
std::string emit_set(Emitter& e) {
  const Comparison comparison = parts_of(e);
  if (comparison.types.size() < 2) e.unknown();
  const std::string& type = comparison.types[0];
  if (comparison.types.back().ends_with("x2")) {
    if (!comparison.combine.empty()) e.unknown();
    const std::string one = type == "f16x2" ? "0x3c00u" : type == "bf16x2" ? "0x3f80u" : "0xffffu";
    const auto [low, high] = pair_tests(e, comparison);
    return e.write(e.arg(0), "u32", text("(($ ? $ : 0u) | ($ ? $ << 16 : 0u))", low, one, high, one));
  }
  const std::string one = type == "f32" ? "1.f" : type == "f16" ? "0x3c00" : type == "bf16" ? "0x3f80" : "~0u";
  return e.write(e.arg(0), value_type(type), text("($ ? $ : 0)", combined(e, comparison, test_of(e, comparison)), one));
}

// selp.
std::string emit_selp(Emitter& e) {
  const std::string value = value_type(e.type());
  return e.write(e.arg(0), value, text("($ ? $ : $)", e.read(e.arg(3), "bool"), e.read(e.arg(1), value), e.read(e.arg(2), value)));
}

// slct: by the sign of the last operand.
std::string emit_slct(Emitter& e) {
  const std::vector<std::string> types = e.types();
  if (types.size() != 2) e.unknown();
  const std::string value = value_type(types[0]), sign = e.read_flushed(e.arg(3), value_type(types[1]));
  return e.write(e.arg(0), value, text("($ >= 0 ? $ : $)", sign, e.read(e.arg(1), value), e.read(e.arg(2), value)));
}

}  // namespace ptxcpu
