#include "translate/emitter.h"

#include <algorithm>
#include <cctype>

#include "ptx/text.h"
#include "ptx/types.h"
#include "runtime/abi.h"

namespace ptxcpu {

Emitter::Emitter(const Module& module, const Function& function, std::vector<int>& sites)
    : module_(module), function_(function), sites_(sites) {
  if (uses_module_shared()) shared_base_ = module.shared_size;
  int locals = 0;
  for (const Buffer& buffer : function.buffers) {
    if (!buffer.local) continue;
    only_local_ = ++locals == 1 ? &buffer : nullptr;
  }
}

// What a device function does with the module's shared variables is not followed: whoever can call one is taken to use them.
bool Emitter::uses_module_shared() const {
  if (module_.shared_size == 0) return false;
  const auto uses = [&](const auto& self, int scope, const Operand& operand) -> bool {
    const Symbol* symbol = operand.text.empty() ? nullptr : module_.symbols.find(scope, operand.text);
    if (symbol && (symbol->kind == SymbolKind::function || (symbol->kind == SymbolKind::shared && symbol->module_level))) return true;
    return std::any_of(operand.elements.begin(), operand.elements.end(), [&](const Operand& e) { return self(self, scope, e); });
  };
  for (const Instruction& instruction : function_.code) {
    for (const Operand& operand : instruction.operands) {
      if (uses(uses, instruction.scope, operand)) return true;
    }
  }
  return !function_.entry;
}

std::uint64_t Emitter::shared_offset(const Symbol& symbol) const { return symbol.offset + (symbol.module_level ? 0 : shared_base_); }

const Operand& Emitter::arg(std::size_t i) const {
  if (i >= instruction_->operands.size()) unknown();
  return instruction_->operands[i];
}

std::vector<std::string> Emitter::types() const {
  std::vector<std::string> found;
  std::copy_if(instruction_->modifiers.begin(), instruction_->modifiers.end(), std::back_inserter(found), is_type);
  return found;
}

std::string Emitter::type() const {
  const std::vector<std::string> all = types();
  if (all.empty()) unknown();
  return all.back();
}

std::string Emitter::space() const {
  for (const std::string& modifier : instruction_->modifiers) {
    if (modifier == "global" || modifier == "shared" || modifier == "local" || modifier == "const" || modifier == "param") return modifier;
    if (modifier == "shared::cta") return "shared";
    if (modifier.starts_with("param::")) return "param";
  }
  return "";
}

int Emitter::rounding() const { return has("rz") || has("rzi") ? 1 : has("rm") || has("rmi") ? 2 : has("rp") || has("rpi") ? 3 : 0; }

void Emitter::fail(const std::string& message) const { throw PtxError(instruction_->line, instruction_->spelling() + ": " + message); }

const Symbol* Emitter::find(const Operand& operand) const { return module_.symbols.find(instruction_->scope, operand.text); }

std::string convert_bits(const std::string& expression, const std::string& from, const std::string& to) {
  if (from == to) return expression;
  const auto unsigned_of = [](const std::string& type) { return text("u$", cpp_size(type) * 8); };
  if (cpp_floating(from) || cpp_floating(to)) {
    if (cpp_size(from) == cpp_size(to)) return text("bits<$>($)", to, expression);
    if (cpp_floating(to)) return text("bits<$>(($)$)", to, unsigned_of(to), expression);
    return text("($)bits<$>($)", to, unsigned_of(from), expression);
  }
  return to == "bool" ? text("($ != 0)", expression) : text("(($)$)", to, expression);
}

std::string Emitter::literal(const Operand& operand, const std::string& type) const {
  const std::string sign = operand.negated ? "-" : "";
  if (is_f32_literal(operand.text) || is_f64_literal(operand.text)) {
    const bool single = is_f32_literal(operand.text);
    const std::string value = text("$bits<$>(($)$ull)", sign, single ? "f32" : "f64", single ? "u32" : "u64", hex(number(operand.text)));
    return cpp_floating(type) ? text("(($)$)", type, value) : text("($)bits<$>($)", type, single ? "u32" : "u64", value);
  }
  if (cpp_floating(type)) return text("(($)$$)", type, sign, operand.text);
  std::string digits = operand.text;
  if (digits.back() == 'U') digits.pop_back();
  const std::uint64_t value = operand.negated ? 0 - number(digits) : number(digits);
  if (type == "bool") return value ? "true" : "false";
  return text("(($)$ull)", type, hex(value));
}

std::string Emitter::read(const Operand& operand, const std::string& type) const {
  if (operand.kind == Operand::Kind::literal) return literal(operand, type);
  if (operand.kind == Operand::Kind::sink) return text("($)0", type);
  if (operand.kind == Operand::Kind::vector && operand.elements.size() == 1) return read(operand.elements[0], type);
  if (operand.kind != Operand::Kind::name) fail("an operand that is no value");
  const Symbol* symbol = find(operand);
  std::string value;
  if (!symbol) {
    value = special_register(operand.text);
    if (value.empty()) fail(text("'$' is not declared", operand.text));
    return text("($)$", type, value);
  }
  switch (symbol->kind) {
    case SymbolKind::reg:
      value = convert_bits(symbol->cpp, symbol->type, type);
      return operand.negated ? "!" + value : value;
    case SymbolKind::local:
    case SymbolKind::param_buffer:
    case SymbolKind::function_param:
      value = "(u64)" + symbol->cpp;
      break;
    case SymbolKind::shared:
      value = hex(shared_offset(*symbol)) + "ull";
      break;
    case SymbolKind::dynamic_shared:
      value = "(u64)b->dynamic_offset";
      break;
    case SymbolKind::global:
    case SymbolKind::constant:
      value = symbol->cpp;
      break;
    case SymbolKind::function:
      value = "(u64)(void*)" + symbol->cpp;
      break;
    case SymbolKind::kernel_param:
      value = text("((u64)b->params + $)", symbol->offset);
      break;
    default:
      fail(text("'$' is no value", operand.text));
  }
  return text("($)($ + $)", type, value, operand.offset);
}

std::string Emitter::read_flushed(const Operand& operand, const std::string& type) const {
  const std::string value = read(operand, type);
  return has("ftz") && type == "f32" && operand.kind != Operand::Kind::literal ? text("flush($)", value) : value;
}

std::string Emitter::write(const Operand& operand, const std::string& type, const std::string& value) const {
  if (operand.kind == Operand::Kind::sink) return text("(void)($);", value);
  if (operand.kind == Operand::Kind::pair || (operand.kind == Operand::Kind::vector && operand.elements.size() == 1)) {
    return write(operand.elements[0], type, value);
  }
  const Symbol* symbol = operand.kind == Operand::Kind::name ? find(operand) : nullptr;
  if (!symbol || symbol->kind != SymbolKind::reg) fail(text("'$' is no register to write to", operand.text));
  if (symbol->type == type) return text("$ = $;", symbol->cpp, value);
  if (type == "bool") return text("$ = $ ? ~($)0 : 0;", symbol->cpp, value, symbol->type);
  return text("$ = $;", symbol->cpp, convert_bits(text("($)($)", type, value), type, symbol->type));
}

std::string Emitter::address(const Operand& operand, bool shared) const {
  const std::int64_t offset = operand.offset;
  if (operand.text.empty()) fail("an operand that is no address");
  if (std::isdigit(static_cast<unsigned char>(operand.text[0])) || operand.text[0] == '-') {
    return text("(u64)($ + $)", operand.text, offset);
  }
  const Symbol* symbol = find(operand);
  if (!symbol) fail(text("'$' is not declared", operand.text));
  const std::string base = shared ? "" : "(u64)b->shared + ";
  switch (symbol->kind) {
    case SymbolKind::reg:
      if (symbol->type == "u32") return text("(u64)(u32)($ + $)", symbol->cpp, offset);
      return text("(u64)($ + $)", convert_bits(symbol->cpp, symbol->type, "u64"), offset);
    case SymbolKind::shared:
      return text("($$ull)", base, hex(shared_offset(*symbol) + static_cast<std::uint64_t>(offset)));
    case SymbolKind::dynamic_shared:
      return text("($(u64)b->dynamic_offset + $)", base, offset);
    case SymbolKind::local:
    case SymbolKind::param_buffer:
    case SymbolKind::function_param:
      return text("((u64)$ + $)", symbol->cpp, offset);
    case SymbolKind::kernel_param:
      return text("((u64)b->params + $)", static_cast<std::int64_t>(symbol->offset) + offset);
    case SymbolKind::global:
    case SymbolKind::constant:
      return text("($ + $)", symbol->cpp, offset);
    default:
      fail(text("'$' is no address", operand.text));
  }
}

std::string Emitter::checked_pointer(const Operand& operand, unsigned bytes, int access, std::string& before) {
  std::string where = space();
  const Symbol* symbol = find(operand);
  if (where.empty() && symbol &&
      (symbol->kind == SymbolKind::kernel_param || symbol->kind == SymbolKind::function_param ||
       symbol->kind == SymbolKind::param_buffer)) {
    where = "param";
  }
  if (where == "param") return text("((u8*)$)", address(operand, false));
  const std::string s = site();
  const char* way = access & ACCESS_STORE ? "store" : "load";
  if (where == "shared") {
    before += text("COUNT(shared_$_bytes, $); ", way, bytes);
    before += text("u8* p$ = shared_at<$>(t, $, $, $); ", s, bytes, s, address(operand, true), access);
    return "p" + s;
  }
  before += where == "local" ? text("COUNT(local_bytes, $); ", bytes)
            : where.empty()  ? text("COUNT(generic_bytes, $); ", bytes)
                             : text("COUNT(global_$_bytes, $); ", way, bytes);
  before += text("u64 p$ = $; ", s, address(operand, false));
  if (where == "local" && only_local_ && only_local_->size >= bytes) {
    before += text("if (UNLIKELY(p$ - (u64)$ > $ || (p$ & $))) ", s, only_local_->cpp, only_local_->size - bytes, s, bytes - 1);
    before += text("callbacks->global_miss(t, $, p$, $, $); ", s, s, bytes, access | ACCESS_LOCAL);
  } else {
    const int kind = where.empty() || where == "local" ? ACCESS_GENERIC : 0;
    before += text("check_global<$>(t, $, p$, $); ", bytes, s, s, access | kind);
  }
  return text("((u8*)p$)", s);
}

std::string Emitter::label(const std::string& name) const {
  const Symbol* symbol = module_.symbols.find(instruction_->scope, name);
  if (!symbol || symbol->kind != SymbolKind::label) fail(text("'$' is no label", name));
  return symbol->cpp;
}

std::string Emitter::guard(const Instruction& instruction) const {
  if (instruction.guard.empty()) return "";
  const Symbol* symbol = module_.symbols.find(instruction.scope, instruction.guard);
  if (!symbol || symbol->kind != SymbolKind::reg) fail(text("'$' is no predicate", instruction.guard));
  return text("if ($$) ", instruction.guard_negated ? "!" : "", symbol->cpp);
}

void Emitter::registers_of(const Operand& operand, std::vector<std::string>& names) const {
  const Symbol* symbol = operand.text.empty() ? nullptr : find(operand);
  if (symbol && symbol->kind == SymbolKind::reg) names.push_back(symbol->cpp);
  for (const Operand& element : operand.elements) registers_of(element, names);
}

std::string Emitter::site() {
  sites_.push_back(instruction_->line);
  return std::to_string(sites_.size() - 1);
}

std::string Emitter::collective(const std::string& mask, const std::string& function, const std::string& inputs, const std::string& after) {
  const std::string s = site();
  return text("u32 R[8] = {$}; R[4] = $; callbacks->collective(t, $, $, $, R); $", inputs, s, s, mask, function, after);
}

}  // namespace ptxcpu
