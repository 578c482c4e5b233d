// PTX ISA, "Integer Arithmetic Instructions" and "Extended-Precision Integer Arithmetic Instructions".
#include "ptx/text.h"
#include "ptx/types.h"
#include "translate/instruction_table.h"

namespace ptxcpu {

// add, sub; .sat is of s32 alone, .cc sets the carry. Wrapping: computed unsigned.
std::string emit_add_sub(Emitter& e) {
  const std::string type = e.type(), word = bits_type(type);
  if (is_floating(type)) return emit_float(e);
  const bool add = e.instruction().opcode == "add";
  const std::string sign = add ? "+" : "-", x = e.read(e.arg(1), word), y = e.read(e.arg(2), word);
  if (e.has("sat")) {
    const std::string wide = text("(i64)$ $ (i64)$", e.read(e.arg(1), "i32"), sign, e.read(e.arg(2), "i32"));
    return e.write(e.arg(0), "i32", text("saturate_to<i32, i64>($)", wide));
  }
  if (!e.has("cc")) return e.write(e.arg(0), word, text("($)($ $ $)", word, x, sign, y));
  const std::string carry = add ? text("($)(x_ + y_) < x_", word) : "x_ < y_";
  return text("$ x_ = $, y_ = $; carry = $; $", word, x, y, carry, e.write(e.arg(0), word, text("($)(x_ $ y_)", word, sign)));
}

// addc, subc.
std::string emit_add_sub_carry(Emitter& e) {
  const std::string type = e.type(), word = bits_type(type);
  const std::string sign = e.instruction().opcode == "addc" ? "+" : "-";
  std::string out = text("unsigned __int128 x_ = $, y_ = $, ", e.read(e.arg(1), word), e.read(e.arg(2), word));
  out += text("z_ = x_ $ y_ $ carry; ", sign, sign);
  if (e.has("cc")) out += text("carry = (z_ >> $) & 1; ", size_of(type) * 8);
  return out + e.write(e.arg(0), word, text("($)z_", word));
}

// mul and mad with .lo, .hi and .wide.
std::string emit_multiply(Emitter& e) {
  const std::string type = e.type(), value = value_type(type), word = bits_type(type);
  if (is_floating(type)) return emit_float(e);
  if (e.has("cc")) e.unknown();
  const std::string x = e.read(e.arg(1), value), y = e.read(e.arg(2), value);
  std::string product, result = word;
  if (e.has("wide")) {
    result = text("$$", type[0] == 's' ? "i" : "u", size_of(type) * 16);
    product = text("(($)$ * ($)$)", result, x, result, y);
  } else if (e.has("hi")) {
    result = value;
    product = text("high_half($, $)", x, y);
  } else {
    const std::string wide = size_of(type) == 2 ? "u32" : word;
    product = text("($)(($)$ * ($)$)", word, wide, e.read(e.arg(1), word), wide, e.read(e.arg(2), word));
  }
  if (e.instruction().opcode == "mul") return e.write(e.arg(0), result, product);
  const std::string sum = text("u$", cpp_size(result) * 8);
  return e.write(e.arg(0), sum, text("($)(($)$ + $)", sum, sum, product, e.read(e.arg(3), sum)));
}

// div.
std::string emit_divide(Emitter& e) {
  const std::string value = value_type(e.type());
  if (is_floating(e.type())) return emit_float(e);
  return e.write(e.arg(0), value, text("divide<$>($, $)", value, e.read(e.arg(1), value), e.read(e.arg(2), value)));
}

// rem.
std::string emit_remainder(Emitter& e) {
  const std::string value = value_type(e.type());
  return e.write(e.arg(0), value, text("remainder_<$>($, $)", value, e.read(e.arg(1), value), e.read(e.arg(2), value)));
}

// min, max.
std::string emit_min_max(Emitter& e) {
  const std::string type = e.type(), value = value_type(type);
  if (is_floating(type)) return emit_float(e);
  if (e.has("relu")) e.unknown();
  return e.write(e.arg(0), value, text("$_<$>($, $)", e.instruction().opcode, value, e.read(e.arg(1), value), e.read(e.arg(2), value)));
}

// neg.
std::string emit_negate(Emitter& e) {
  if (is_floating(e.type())) return emit_float(e);
  const std::string word = bits_type(e.type());
  return e.write(e.arg(0), word, text("($)(0 - $)", word, e.read(e.arg(1), word)));
}

// abs: the least number stays as it is.
std::string emit_absolute(Emitter& e) {
  if (is_floating(e.type())) return emit_float(e);
  const std::string value = value_type(e.type()), word = bits_type(e.type()), x = e.read(e.arg(1), word);
  return e.write(e.arg(0), value, text("($)($ < 0 ? 0 - $ : $)", value, e.read(e.arg(1), value), x, x));
}

// sad: c + |a - b|.
std::string emit_sum_of_differences(Emitter& e) {
  const std::string value = value_type(e.type());
  const std::string a = e.read(e.arg(1), value), b = e.read(e.arg(2), value), c = e.read(e.arg(3), value);
  return e.write(e.arg(0), value, text("($)($ + ($ < $ ? $ - $ : $ - $))", value, c, a, b, b, a, a, b));
}

// dp4a, dp2a.
std::string emit_dot_product(Emitter& e) {
  const std::vector<std::string> types = e.types();
  if (types.size() != 2) e.unknown();
  const auto lane = [](const std::string& type, int width) { return text("$$", type[0] == 's' ? "i" : "u", width); };
  const bool four = e.instruction().opcode == "dp4a";
  const std::string arguments = text("$, $, $", e.read(e.arg(1), "u32"), e.read(e.arg(2), "u32"), e.read(e.arg(3), "u32"));
  const std::string high = four ? "" : e.has("hi") ? ", true" : ", false";
  return e.write(e.arg(0), "u32", text("dot$<$, $>($$)", four ? 4 : 2, lane(types[0], four ? 8 : 16), lane(types[1], 8), arguments, high));
}

}  // namespace ptxcpu
