// PTX ISA, "Data Movement and Conversion Instructions: cvt".
#include "ptx/text.h"
#include "ptx/types.h"
#include "translate/instruction_table.h"

namespace ptxcpu {
namespace {

bool is_f8_pair(const std::string& type) { return type == "e4m3x2" || type == "e5m2x2"; }

/// A floating operand as f32 or f64.
std::string widened(const Emitter& e, const Operand& operand, const std::string& type) {
  if (type == "f16" || type == "bf16") return text("$_to_f32($)", type, e.read(operand, "u16"));
  return e.read_flushed(operand, value_type(type));
}

/// `value`, an f32 or f64 expression, rounded to the sixteen bits of `type`.
std::string narrowed(const Emitter& e, std::string value, const std::string& type, bool from_f64) {
  if (e.rounding() > 1) e.unknown();
  if (e.has("relu")) value = text("fmax_(($)0, $)", from_f64 ? "f64" : "f32", value);
  if (e.has("sat")) value = text("saturate($)", value);
  if (e.rounding() == 1 && from_f64) e.unknown();
  value = text("to_$$($)", type, e.rounding() == 1 ? "_rz" : "", value);
  return e.has("satfinite") ? text("finite_$($)", type, value) : value;
}

/// Two operands into a pair: the first is the high half.
std::string packed(Emitter& e, const std::string& to, const std::string& from) {
  const std::string high = widened(e, e.arg(1), from), low = widened(e, e.arg(2), from);
  if (to == "f16x2" || to == "bf16x2") {
    const std::string half = to == "f16x2" ? "f16" : "bf16";
    return e.write(e.arg(0), "u32", text("(u32)$ << 16 | (u32)$", narrowed(e, high, half, false), narrowed(e, low, half, false)));
  }
  if (!is_f8_pair(to)) e.unknown();
  const auto byte = [&](const std::string& value) {
    return text("(u16)to_$($)", to.substr(0, 4), e.has("relu") ? text("fmax_(0.f, $)", value) : value);
  };
  return e.write(e.arg(0), "u16", text("(u16)($ << 8 | $)", byte(high), byte(low)));
}

/// Pairs of halves to pairs of eight-bit floats and back.
std::string f8_pairs(Emitter& e, const std::string& to, const std::string& from) {
  if (is_f8_pair(to) && from == "f16x2") {
    const std::string name = to.substr(0, 4), x = e.read(e.arg(1), "u32");
    return e.write(e.arg(0), "u16",
                   text("(u16)((u16)to_$(f16_to_f32((u16)($ >> 16))) << 8 | (u16)to_$(f16_to_f32((u16)$)))", name, x, name, x));
  }
  if (to != "f16x2" || !is_f8_pair(from)) e.unknown();
  const std::string name = from.substr(0, 4), x = e.read(e.arg(1), "u16");
  return e.write(e.arg(0), "u32", text("(u32)to_f16($_to_f32((u8)($ >> 8))) << 16 | (u32)to_f16($_to_f32((u8)$))", name, x, name, x));
}

std::string to_floating(Emitter& e, const std::string& to, const std::string& from, bool integral) {
  const int mode = e.rounding();
  const bool from_float = is_floating(from);
  const std::string type = value_type(to);
  const auto finish = [&](std::string value) {
    if (e.has("ftz") && type == "f32") value = text("flush($)", value);
    if (e.has("sat")) value = text("saturate($)", value);
    return e.write(e.arg(0), type, value);
  };
  std::string value = from_float ? widened(e, e.arg(1), from) : e.read(e.arg(1), value_type(from));
  if (integral && from_float) value = text("to_integral($, $)", value, mode);
  if (to == "f16" || to == "bf16") {
    const bool wide = !from_float || from == "f64";
    return e.write(e.arg(0), "u16", narrowed(e, wide ? text("(f64)$", value) : value, to, wide));
  }
  // Only a narrower result depends on the rounding mode.
  const bool rounds = from_float ? to == "f32" && from == "f64" && !integral : !(to == "f64" && size_of(from) <= 4);
  if (mode == 0 || !rounds) return finish(text("(($)$)", type, value));
  const std::string source = value_type(from);
  return text("volatile $ x_ = $; ", source, value) + finish(text("rounded<$>($, [&] { return ($)($)x_; })", type, mode, type, source));
}

}  // namespace

std::string emit_cvt(Emitter& e) {
  const std::vector<std::string> types = e.types();
  if (types.size() != 2 || e.has("rs")) e.unknown();
  const std::string &to = types[0], &from = types[1], result = value_type(to);
  if (e.arg_count() == 3) return packed(e, to, from);
  if (e.arg_count() != 2) e.unknown();
  if (is_f8_pair(to) || is_f8_pair(from)) return f8_pairs(e, to, from);
  if (to == "tf32") {
    if (!e.has("rna")) e.unknown();
    return e.write(e.arg(0), "u32", text("to_tf32($)", widened(e, e.arg(1), from)));
  }
  if (to.ends_with("x2") || from.ends_with("x2")) e.unknown();
  const bool integral = e.has("rni") || e.has("rzi") || e.has("rmi") || e.has("rpi");
  if (is_floating(to)) return to_floating(e, to, from, integral);
  if (is_floating(from)) {
    const int mode = integral || e.rounding() ? e.rounding() : 1;
    return e.write(e.arg(0), result, text("to_integer<$>($, $)", result, widened(e, e.arg(1), from), mode));
  }
  const std::string value = e.read(e.arg(1), value_type(from));
  if (e.has("sat")) return e.write(e.arg(0), result, text("saturate_to<$, $>($)", result, value_type(from), value));
  return e.write(e.arg(0), result, text("($)$", result, value));
}

}  // namespace ptxcpu
