// PTX ISA, "Floating-Point Instructions" and "Half Precision Floating-Point Instructions".
#include <map>

#include "ptx/text.h"
#include "ptx/types.h"
#include "translate/instruction_table.h"

namespace ptxcpu {
namespace {

/// The operation as an expression of x, y and z of the C++ type `type`. Approximate ones are the C library's: closer than a GPU's.
std::string operation(const Emitter& e, const std::string& type, const std::string& x, const std::string& y, const std::string& z) {
  const std::string& opcode = e.instruction().opcode;
  const std::string f = type == "f32" ? "f" : "";
  static const std::map<std::string, const char*> binary = {{"add", "+"}, {"sub", "-"}, {"mul", "*"}, {"div", "/"}};
  static const std::map<std::string, const char*> functions = {{"ex2", "exp2"},  {"lg2", "log2"},  {"sin", "sin"}, {"cos", "cos"},
                                                               {"tanh", "tanh"}, {"sqrt", "sqrt"}, {"abs", "fabs"}};
  if (const auto found = binary.find(opcode); found != binary.end()) return text("$ $ $", x, found->second, y);
  if (const auto found = functions.find(opcode); found != functions.end()) return text("__builtin_$$($)", found->second, f, x);
  if (opcode == "fma" || opcode == "mad") return text("__builtin_fma$($, $, $)", f, x, y, z);
  if (opcode == "rcp") return text("($)1 / $", type, x);
  if (opcode == "rsqrt") return text("($)(1.0 / __builtin_sqrt((f64)$))", type, x);
  if (opcode == "min" || opcode == "max") return text("f$_$($, $)", opcode, e.has("NaN") ? "nan" : "", x, y);
  if (opcode == "neg") return "-" + x;
  if (opcode == "copysign") return text("__builtin_copysign$($, $)", f, y, x);
  e.unknown();
}

/// f16, bf16 and their pairs: computed in f32 (fma in f64) and rounded once.
std::string half_operation(Emitter& e, const std::string& type) {
  const std::string& opcode = e.instruction().opcode;
  const bool pair = type.ends_with("x2"), brain = type[0] == 'b';
  const std::string word = pair ? "u32" : "u16";
  if (opcode == "neg") return e.write(e.arg(0), word, text("$ ^ $", e.read(e.arg(1), word), pair ? "0x80008000u" : "0x8000u"));
  if (opcode == "abs") return e.write(e.arg(0), word, text("$ & $", e.read(e.arg(1), word), pair ? "0x7fff7fffu" : "0x7fffu"));
  const bool wide = opcode == "fma";
  const std::string type_of_sum = wide ? "f64" : "f32";
  std::string value = text("($)($)", type_of_sum, operation(e, type_of_sum, "x", "y", "z"));
  if (e.has("sat")) value = text("saturate($)", value);
  if (e.has("relu")) value = text("fmax_(($)0, $)", type_of_sum, value);
  std::string arguments, params;
  for (std::size_t i = 1; i < e.arg_count(); ++i) {
    arguments += text("(u32)$, ", e.read(e.arg(i), word));
    params += text("$$ $", i > 1 ? ", " : "", type_of_sum, std::string(1, static_cast<char>('x' + i - 1)));
  }
  return e.write(e.arg(0), word,
                 text("($)packed_$f16$($[]($) { return $; })", word, brain ? "b" : "", wide ? "_wide" : "", arguments, params, value));
}

}  // namespace

// add, sub, mul, fma, mad, div, rcp, sqrt, rsqrt, min, max, ex2, lg2, sin, cos, tanh, neg, abs, copysign of every floating type.
std::string emit_float(Emitter& e) {
  const std::string type = e.type();
  if (!is_floating(type)) e.unknown();
  if (type != "f32" && type != "f64") return half_operation(e, type);
  const auto finish = [&](std::string value) {
    if (e.has("ftz")) value = text("flush($)", value);
    if (e.has("sat")) value = text("saturate($)", value);
    return e.write(e.arg(0), type, value);
  };
  if (e.rounding() == 0) {
    const auto value = [&](std::size_t i) { return i < e.arg_count() ? e.read_flushed(e.arg(i), type) : std::string(); };
    return finish(text("($)", operation(e, type, value(1), value(2), value(3))));
  }
  std::string out;
  const std::string names[] = {"x_", "y_", "z_"};
  for (std::size_t i = 1; i < e.arg_count(); ++i) {
    out += text("volatile $ $ = $; ", type, names[i - 1], e.read_flushed(e.arg(i), type));
  }
  const auto cast = [&](const char* name) { return text("($)$", type, name); };
  const std::string value = operation(e, type, cast("x_"), cast("y_"), cast("z_"));
  return out + finish(text("rounded<$>($, [&] { return $; })", type, e.rounding(), value));
}

// testp.
std::string emit_testp(Emitter& e) {
  const std::string type = e.type();
  const std::string test = e.has("finite")       ? "__builtin_isfinite(x_)"
                           : e.has("infinite")   ? "__builtin_isinf(x_)"
                           : e.has("notanumber") ? "(x_ != x_)"
                           : e.has("number")     ? "(x_ == x_)"
                           : e.has("normal")     ? "__builtin_isnormal(x_)"
                                                 : "(x_ != 0 && __builtin_isfinite(x_) && !__builtin_isnormal(x_))";
  return text("$ x_ = $; ", type, e.read(e.arg(1), type)) + e.write(e.arg(0), "bool", text("(bool)$", test));
}

}  // namespace ptxcpu
