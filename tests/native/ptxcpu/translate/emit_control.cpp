// PTX ISA, "Control Flow Instructions" and "Miscellaneous Instructions".
#include "ptx/text.h"
#include "translate/instruction_table.h"

namespace ptxcpu {

// bra.
std::string emit_bra(Emitter& e) { return text("goto $;", e.label(e.arg(0).text)); }

// brx.idx: an index outside the table is undefined in PTX, and a trap here.
std::string emit_brx(Emitter& e) {
  const Symbol* table = e.find(e.arg(1));
  if (!table || table->kind != SymbolKind::targets) e.fail("no table of branch targets");
  std::string out = text("switch ($) {", e.read(e.arg(0), "u32"));
  for (std::size_t i = 0; i < table->labels.size(); ++i) out += text(" case $: goto $;", i, e.label(table->labels[i]));
  return out + text(" default: callbacks->trap(t, $, \"brx.idx outside its table\"); }", e.site());
}

// ret, which ends a thread in a kernel.
std::string emit_ret(Emitter&) { return "return;"; }

// exit.
std::string emit_exit(Emitter& e) { return e.function().entry ? "return;" : "callbacks->exit_thread(t);"; }

// trap, brkpt.
std::string emit_trap(Emitter& e) { return text("callbacks->trap(t, $, \"trap instruction\");", e.site()); }

// nanosleep.
std::string emit_nanosleep(Emitter&) { return "callbacks->yield(t);"; }

// call, direct or through a pointer: arguments and results are passed as pointers to their parameter buffers.
std::string emit_call(Emitter& e) {
  std::size_t next = 0;
  std::vector<Operand> results, arguments;
  if (e.arg(0).kind == Operand::Kind::list) results = e.arg(next++).elements;
  const Operand& target = e.arg(next++);
  if (next < e.arg_count() && e.arg(next).kind == Operand::Kind::list) arguments = e.arg(next).elements;
  const auto buffer = [&](const Operand& operand) {
    const Symbol* symbol = e.find(operand);
    if (!symbol || (symbol->kind != SymbolKind::param_buffer && symbol->kind != SymbolKind::function_param)) {
      e.fail(text("'$' is no parameter", operand.text));
    }
    return symbol->cpp;
  };
  const Symbol* callee = e.find(target);
  if (target.text == "vprintf" && results.size() == 1 && arguments.size() == 2) {
    return text("store<u32>($, callbacks->print(t, load<const char*>($), load<const u8*>($)));", buffer(results[0]), buffer(arguments[0]),
                buffer(arguments[1]));
  }
  if (target.text == "__assertfail" && !arguments.empty()) {
    return text("callbacks->assert_failed(t, $, load<const char*>($));", e.site(), buffer(arguments[0]));
  }
  std::string values, types;
  for (const std::vector<Operand>* list : {&results, &arguments}) {
    for (const Operand& operand : *list) {
      values += ", " + buffer(operand);
      types += ", u8*";
    }
  }
  if (!callee || callee->kind != SymbolKind::function) {
    return text("((void (*)(Thread*$))$)(t$);", types, e.read(target, "u64"), values);
  }
  if (!e.module().function(target.text)->defined) e.fail(text("the device function '$' has no body", target.text));
  return text("$(t$);", callee->cpp, values);
}

}  // namespace ptxcpu
