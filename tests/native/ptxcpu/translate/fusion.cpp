#include "translate/fusion.h"

#include <algorithm>
#include <cctype>

#include "ptx/text.h"
#include "ptx/types.h"

namespace ptxcpu {
namespace {

std::vector<Operand> parts_of(const Operand& operand) {
  return operand.kind == Operand::Kind::vector ? operand.elements : std::vector<Operand>{operand};
}

bool same_registers(const std::vector<Operand>& a, const std::vector<Operand>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Operand& x, const Operand& y) {
    return x.kind == Operand::Kind::name && y.kind == Operand::Kind::name && x.text == y.text;
  });
}

std::string shape_of(const Emitter& e) {
  for (const std::string& modifier : e.instruction().modifiers) {
    if (modifier.size() > 1 && modifier[0] == 'm' && std::isdigit(static_cast<unsigned char>(modifier[1]))) return modifier;
  }
  return "";
}

std::string element_type(const std::string& type) {
  return type == "f16" ? "ELEMENT_F16" : type == "bf16" ? "ELEMENT_BF16" : "ELEMENT_TF32";
}

}  // namespace

bool MatrixGroup::takes(const Instruction& instruction) {
  if (!instruction.guard.empty()) return false;
  return instruction.opcode == "mma" || instruction.opcode == "ldmatrix" || (instruction.opcode == "wmma" && instruction.has("mma"));
}

bool MatrixGroup::add() {
  if (e_.instruction().opcode == "ldmatrix") {
    if (!add_ldmatrix()) return false;
  } else {
    add_product();
  }
  ++members_;
  return true;
}

const Symbol* MatrixGroup::reg(const Operand& operand) const {
  const Symbol* symbol = operand.kind == Operand::Kind::name ? e_.find(operand) : nullptr;
  return symbol && symbol->kind == SymbolKind::reg ? symbol : nullptr;
}

int MatrixGroup::input(const Operands& values) {
  const auto known = [&](std::size_t i) {
    const Symbol* symbol = reg(values[i]);
    const auto found = symbol ? slot_of_.find(symbol->cpp) : slot_of_.end();
    return found == slot_of_.end() ? -1 : found->second;
  };
  bool there = true;
  for (std::size_t i = 0; i < values.size(); ++i) there &= known(i) >= 0 && known(i) == known(0) + static_cast<int>(i);
  if (there) return known(0);
  const int first = slots_;
  slots_ += static_cast<int>(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const int slot = first + static_cast<int>(i);
    if (const Symbol* symbol = reg(values[i])) {
      read_.insert(symbol->cpp);
      if (written_.contains(symbol->cpp)) {
        operations_ += text("for (int l = 0; l < 32; l++) R[l][$] = R[l][$]; ", slot, known(i));
        continue;
      }
      slot_of_[symbol->cpp] = slot;
    }
    inputs_ += text("R[$] = $; ", slot, e_.read(values[i], "u32"));
  }
  return first;
}

int MatrixGroup::output(const Operands& registers) {
  const int first = slots_;
  slots_ += static_cast<int>(registers.size());
  wrote(registers, first);
  return first;
}

void MatrixGroup::wrote(const Operands& registers, int first) {
  for (std::size_t i = 0; i < registers.size(); ++i) {
    if (registers[i].kind == Operand::Kind::sink) continue;
    const Symbol* symbol = reg(registers[i]);
    if (!symbol) e_.fail(text("'$' is no register to write to", registers[i].text));
    slot_of_[symbol->cpp] = first + static_cast<int>(i);
    written_[symbol->cpp] = symbol->type;
  }
}

// ldmatrix of 8x8 matrices of b16.
bool MatrixGroup::add_ldmatrix() {
  if (!e_.has("m8n8") || e_.type() != "b16") e_.unknown();
  std::vector<std::string> base;
  e_.registers_of(e_.arg(1), base);
  for (const std::string& name : base) {
    if (written_.contains(name)) return false;
  }
  read_.insert(base.begin(), base.end());
  const bool shared = e_.space() == "shared";
  const int count = e_.has("x4") ? 4 : e_.has("x2") ? 2 : 1, at = slots_;
  slots_ += 3;
  inputs_ += text("{ u64 a_ = $$; ", e_.address(e_.arg(1), shared), shared ? "" : " - (u64)b->shared");
  inputs_ += text("R[$] = (u32)a_; R[$] = (u32)(a_ >> 32); R[$] = $; } ", at, at + 1, at + 2, e_.site());
  const Operands to = parts_of(e_.arg(0));
  if (to.size() != static_cast<std::size_t>(count)) e_.fail("another number of destinations than matrices");
  const int first = output(to);
  operations_ += text("b->counts.ldmatrix++; b->counts.shared_load_bytes += $; ", count * 128);
  operations_ += text("load_matrices<$, $>(R, lanes, $, $); ", count, e_.has("trans") ? "true" : "false", first, at);
  return true;
}

// mma.m16n8k{4,8,16,32}: f16, bf16, tf32 with f32 or f16 sums, and 8-bit integers.
MatrixGroup::Product MatrixGroup::mma() const {
  const std::vector<std::string> types = e_.types();
  const std::string shape = shape_of(e_);
  if (types.size() != 4 || !e_.has("row") || !e_.has("col") || !shape.starts_with("m16n8k")) e_.unknown();
  const int k = std::atoi(shape.c_str() + 6), flop = 2 * 16 * 8 * k;
  const std::string &sums = types[0], &a = types[1];
  if (a == "s8" || a == "u8") {
    if ((k != 16 && k != 32) || e_.has("satfinite")) e_.unknown();
    return {text("multiply_integers<$, $, $>", k, value_type(a), value_type(types[2])), flop};
  }
  const bool fits = a == "tf32" ? k == 4 || k == 8 : (a == "f16" || a == "bf16") && (k == 8 || k == 16);
  if (!fits || sums != types[3] || types[2] != a || (sums != "f32" && sums != "f16")) e_.unknown();
  return {text("multiply<$, $, $>", k, element_type(a), sums == "f16" ? "true" : "false"), flop};
}

// wmma.mma.m16n16k16 of f16 (sums all f32 or all f16) and bf16.
MatrixGroup::Product MatrixGroup::wmma() const {
  const std::vector<std::string> types = e_.types();
  if (shape_of(e_) != "m16n16k16") e_.unknown();
  const bool brain = types.size() == 4 && types[1] == "bf16" && types[2] == "bf16";
  if (!brain && (types.size() != 2 || types[0] != types[1])) e_.unknown();
  const bool half = !brain && types[0] == "f16";
  return {text("multiply_wmma<$, $>", brain ? "ELEMENT_BF16" : "ELEMENT_F16", half ? "true" : "false"), 2 * 16 * 16 * 16};
}

void MatrixGroup::add_product() {
  const Product product = e_.instruction().opcode == "wmma" ? wmma() : mma();
  const Operands to = parts_of(e_.arg(0)), sums = parts_of(e_.arg(3));
  const int a = input(parts_of(e_.arg(1))), b = input(parts_of(e_.arg(2))), c = input(sums);
  int d = c;
  if (same_registers(to, sums)) {
    wrote(to, d);
  } else {
    d = output(to);
  }
  operations_ += text("count_mma(b, $); $(R, $, $, $, $); ", product.flop, product.function, d, a, b, c);
}

bool MatrixGroup::lets_pass(const Instruction& instruction) const {
  static const std::set<std::string> pure = {"mov",  "add",  "sub",  "mul",  "mad", "shl", "shr",  "and", "or",  "xor", "not", "cvt",
                                             "cvta", "selp", "setp", "lop3", "bfe", "bfi", "prmt", "neg", "min", "max", "fma", "shf"};
  if (!instruction.label.empty() || instruction.operands.empty() || !pure.contains(instruction.opcode) || instruction.has("cc"))
    return false;
  std::vector<std::string> writes, reads;
  e_.registers_of(instruction.operands[0], writes);
  for (std::size_t i = 1; i < instruction.operands.size(); ++i) e_.registers_of(instruction.operands[i], reads);
  if (!instruction.guard.empty()) {
    Operand guard;
    guard.text = instruction.guard;
    e_.registers_of(guard, reads);
  }
  const auto computed = [&](const std::string& name) { return written_.contains(name); };
  const auto used = [&](const std::string& name) { return computed(name) || read_.contains(name); };
  return std::none_of(reads.begin(), reads.end(), computed) && std::none_of(writes.begin(), writes.end(), used);
}

std::string MatrixGroup::function(const std::string& name) const {
  return text("static void $(u32** R, Thread** lanes, u32 mask, Block* b) { (void)lanes; (void)mask; $}\n", name, operations_);
}

std::string MatrixGroup::call(const std::string& name, const std::string& site) const {
  std::string after;
  for (const auto& [cpp, type] : written_) after += text("$ = $; ", cpp, convert_bits(text("R[$]", slot_of_.at(cpp)), "u32", type));
  // The highest bit of the site says that the whole warp has to come.
  return text("  { alignas(16) u32 R[$]; $callbacks->collective(t, $ | 0x80000000u, ~0u, $, R); $}\n", slots_, inputs_, site, name, after);
}

}  // namespace ptxcpu
