// PTX ISA, "Logic and Shift Instructions", the bit instructions of "Integer Arithmetic Instructions", and "prmt".
#include "ptx/text.h"
#include "ptx/types.h"
#include "translate/instruction_table.h"

namespace ptxcpu {

// and, or, xor.
std::string emit_logic(Emitter& e) {
  const std::string& opcode = e.instruction().opcode;
  const std::string sign = opcode == "and" ? "&" : opcode == "or" ? "|" : "^", value = value_type(e.type());
  return e.write(e.arg(0), value, text("($)($ $ $)", value, e.read(e.arg(1), value), sign, e.read(e.arg(2), value)));
}

// not.
std::string emit_not(Emitter& e) {
  const std::string value = value_type(e.type());
  return e.write(e.arg(0), value, text("($)$$", value, value == "bool" ? "!" : "~", e.read(e.arg(1), value)));
}

// cnot: 1 for 0, else 0.
std::string emit_cnot(Emitter& e) {
  const std::string value = value_type(e.type());
  return e.write(e.arg(0), value, text("($ == 0)", e.read(e.arg(1), value)));
}

// shl, shr.
std::string emit_shift(Emitter& e) {
  const std::string value = value_type(e.type());
  const std::string way = e.instruction().opcode == "shl" ? "left" : "right";
  return e.write(e.arg(0), value, text("shift_$<$>($, $)", way, value, e.read(e.arg(1), value), e.read(e.arg(2), "u32")));
}

// shf: .wrap takes the count modulo 32, .clamp stops at 32.
std::string emit_funnel_shift(Emitter& e) {
  const std::string count = e.read(e.arg(3), "u32");
  const std::string by = e.has("wrap") ? text("($ & 31)", count) : text("min_<u32>($, 32)", count);
  const std::string way = e.has("l") ? "left" : "right";
  return e.write(e.arg(0), "u32", text("funnel_$($, $, $)", way, e.read(e.arg(1), "u32"), e.read(e.arg(2), "u32"), by));
}

// lop3, also with a predicate as its second result.
std::string emit_lop3(Emitter& e) {
  const std::string value =
      text("lop3($, $, $, $)", e.read(e.arg(1), "u32"), e.read(e.arg(2), "u32"), e.read(e.arg(3), "u32"), e.read(e.arg(4), "u32"));
  if (e.arg(0).kind != Operand::Kind::pair) return e.write(e.arg(0), "u32", value);
  const std::string combined = text("(x_ != 0) $ $", e.has("or") ? "|" : "&", e.read(e.arg(5), "bool"));
  return text("u32 x_ = $; ", value) + e.write(e.arg(0).elements[0], "u32", "x_") + " " +
         e.write(e.arg(0).elements[1], "bool", text("(bool)($)", combined));
}

// prmt.
std::string emit_prmt(Emitter& e) {
  const std::string mode = e.has("f4e")    ? "F4E"
                           : e.has("b4e")  ? "B4E"
                           : e.has("rc8")  ? "RC8"
                           : e.has("ecl")  ? "ECL"
                           : e.has("ecr")  ? "ECR"
                           : e.has("rc16") ? "RC16"
                                           : "INDEX";
  return e.write(
      e.arg(0), "u32",
      text("permute_bytes($, $, $, PERMUTE_$)", e.read(e.arg(1), "u32"), e.read(e.arg(2), "u32"), e.read(e.arg(3), "u32"), mode));
}

// clz, popc.
std::string emit_count_bits(Emitter& e) {
  const std::string x = e.read(e.arg(1), bits_type(e.type()));
  if (e.instruction().opcode == "clz") return e.write(e.arg(0), "u32", text("count_leading_zeros($)", x));
  return e.write(e.arg(0), "u32", text("(u32)__builtin_popcountll((u64)$)", x));
}

// brev.
std::string emit_brev(Emitter& e) {
  const std::string word = bits_type(e.type());
  return e.write(e.arg(0), word, text("reverse_bits($)", e.read(e.arg(1), word)));
}

// bfind.
std::string emit_bfind(Emitter& e) {
  const std::string value = value_type(e.type());
  return e.write(e.arg(0), "u32", text("find_bit<$>($, $)", value, e.read(e.arg(1), value), e.has("shiftamt") ? "true" : "false"));
}

// bfe.
std::string emit_bfe(Emitter& e) {
  const std::string value = value_type(e.type());
  return e.write(e.arg(0), value,
                 text("extract_bits<$>($, $, $)", value, e.read(e.arg(1), value), e.read(e.arg(2), "u32"), e.read(e.arg(3), "u32")));
}

// bfi.
std::string emit_bfi(Emitter& e) {
  const std::string word = bits_type(e.type());
  return e.write(e.arg(0), word,
                 text("insert_bits<$>($, $, $, $)", word, e.read(e.arg(1), word), e.read(e.arg(2), word), e.read(e.arg(3), "u32"),
                      e.read(e.arg(4), "u32")));
}

}  // namespace ptxcpu
