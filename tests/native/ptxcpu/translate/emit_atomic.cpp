// PTX ISA, "Parallel Synchronization and Communication Instructions: atom, red".
#include <map>

#include "ptx/text.h"
#include "ptx/types.h"
#include "runtime/abi.h"
#include "translate/instruction_table.h"

namespace ptxcpu {
namespace {

/// The new value as an expression of the old one `o_` and the operands `b_` and `c_`, all of the value type.
std::string next_value(const Emitter& e, const std::string& operation, const std::string& type) {
  static const std::map<std::string, const char*> simple = {{"and", "o_ & b_"},
                                                            {"or", "o_ | b_"},
                                                            {"xor", "o_ ^ b_"},
                                                            {"exch", "b_"},
                                                            {"cas", "o_ == b_ ? c_ : o_"},
                                                            {"inc", "o_ >= b_ ? 0 : o_ + 1"},
                                                            {"dec", "o_ == 0 || o_ > b_ ? b_ : o_ - 1"}};
  const bool half = is_floating(type) && type != "f32" && type != "f64";
  if (operation == "add" && half) {
    return text("packed_$f16((u32)o_, (u32)b_, [](f32 x, f32 y) { return x + y; })", type[0] == 'b' ? "b" : "");
  }
  if (operation == "add") return "o_ + b_";
  if (half && operation != "exch") e.unknown();
  if (operation == "min" || operation == "max") return text("$$_(o_, b_)", is_floating(type) ? "f" : "", operation);
  const auto found = simple.find(operation);
  if (found == simple.end()) e.unknown();
  return found->second;
}

std::string emit_atomic(Emitter& e, bool returns) {
  static const char* const operations[] = {"add", "min", "max", "cas", "exch", "and", "or", "xor", "inc", "dec"};
  std::string operation;
  for (const char* name : operations) {
    if (e.has(name)) operation = name;
  }
  if (e.has("v2") || e.has("v4") || e.has("v8") || e.has("async")) e.unknown();
  const std::string type = e.type(), value = value_type(type);
  const std::size_t first = returns ? 1 : 0;
  std::string out = "COUNT(atomics, 1); ";
  const std::string at = e.checked_pointer(e.arg(first), size_of(type), ACCESS_STORE | ACCESS_ATOMIC, out);
  out += text("$ b_ = $; ", value, e.read(e.arg(first + 1), value));
  if (operation == "cas") out += text("$ c_ = $; ", value, e.read(e.arg(first + 2), value));
  // Floating values go through their bits, so that the compare and exchange is exact.
  const bool floating = cpp_floating(value);
  const std::string word = floating ? bits_type(type) : value, next = next_value(e, operation, type);
  const std::string update = floating
                                 ? text("[&]($ w_) { $ o_ = bits<$>(w_); return bits<$>(($)($)); }", word, value, value, word, value, next)
                                 : text("[&]($ o_) -> $ { return ($)($); }", value, value, value, next);
  const bool shared = e.space() == "shared";
  std::string call = text("atomic_$<$>($$, $)", shared ? "shared" : "global", word, shared ? "" : "(u64)", at, update);
  if (floating) call = text("bits<$>($)", value, call);
  out += returns ? e.write(e.arg(0), value, call) : call + ";";
  return operation == "cas" || operation == "exch" ? out + " spin(t);" : out;
}

}  // namespace

std::string emit_atom(Emitter& e) { return emit_atomic(e, true); }

std::string emit_red(Emitter& e) { return emit_atomic(e, false); }

}  // namespace ptxcpu
