// PTX ISA, "Parallel Synchronization and Communication Instructions" and "shfl.sync".
#include "ptx/text.h"
#include "ptx/types.h"
#include "translate/instruction_table.h"

namespace ptxcpu {
namespace {

/// A destination that may be a pair: its value, and its predicate where it has one.
const Operand& value_of(const Operand& operand) { return operand.kind == Operand::Kind::pair ? operand.elements[0] : operand; }

std::string write_predicate(const Emitter& e, const Operand& operand, const char* value) {
  return operand.kind == Operand::Kind::pair ? " " + e.write(operand.elements[1], "bool", value) : std::string();
}

std::string barrier_reduce(Emitter& e) {
  const bool count = e.has("popc");
  const std::string op = count ? "0" : e.has("and") ? "1" : "2";
  const std::string threads = e.arg_count() > 3 ? "(i32)" + e.read(e.arg(2), "u32") : "-1";
  const std::string call = text("callbacks->barrier_reduce(t, $, $, $, $, $)", e.site(), e.read(e.arg(1), "u32"), threads, op,
                                e.read(e.arg(e.arg_count() - 1), "bool"));
  return e.write(e.arg(0), count ? "u32" : "bool", count ? call : text("($ != 0)", call));
}

}  // namespace

// bar and barrier (.sync, .arrive, .red) of a block, bar.warp.sync.
std::string emit_barrier(Emitter& e) {
  const std::vector<std::string>& modifiers = e.instruction().modifiers;
  if (!modifiers.empty() && modifiers[0] == "warp") return e.collective(e.read(e.arg(0), "u32"), "warp_sync", "0", "");
  if (e.has("cluster")) e.unknown();
  if (e.has("red")) return "COUNT(barriers, 1); " + barrier_reduce(e);
  const std::string id = e.arg_count() ? e.read(e.arg(0), "u32") : "0";
  const std::string threads = e.arg_count() > 1 ? "(i32)" + e.read(e.arg(1), "u32") : "-1";
  return text("COUNT(barriers, 1); callbacks->barrier(t, $, $, $, $);", e.site(), id, threads, e.has("arrive") ? 1 : 0);
}

// membar, fence.
std::string emit_fence(Emitter& e) {
  if (e.has("proxy") || e.has("mbarrier_init")) e.unknown();
  return "__atomic_thread_fence(__ATOMIC_SEQ_CST);";
}

// shfl.sync.
std::string emit_shfl(Emitter& e) {
  const std::string mode = e.has("up") ? "UP" : e.has("down") ? "DOWN" : e.has("bfly") ? "BFLY" : "IDX";
  const std::string inputs = text("$, $, $", e.read(e.arg(1), "u32"), e.read(e.arg(2), "u32"), e.read(e.arg(3), "u32"));
  const std::string after = e.write(value_of(e.arg(0)), "u32", "R[0]") + write_predicate(e, e.arg(0), "(R[3] != 0)");
  return e.collective(e.read(e.arg(4), "u32"), text("shuffle<SHUFFLE_$>", mode), inputs, after);
}

// vote.sync.
std::string emit_vote(Emitter& e) {
  const std::string mode = e.has("any") ? "ANY" : e.has("all") ? "ALL" : e.has("uni") ? "UNI" : "BALLOT";
  const std::string after = mode == "BALLOT" ? e.write(e.arg(0), "u32", "R[0]") : e.write(e.arg(0), "bool", "(R[0] != 0)");
  return e.collective(e.read(e.arg(2), "u32"), text("vote<VOTE_$>", mode), "(u32)" + e.read(e.arg(1), "bool"), after);
}

// match.sync.
std::string emit_match(Emitter& e) {
  const std::string after = e.write(value_of(e.arg(0)), "u32", "R[0]") + write_predicate(e, e.arg(0), "(R[1] != 0)");
  return text("u64 x_ = $; ", e.read(e.arg(1), bits_type(e.type()))) +
         e.collective(e.read(e.arg(2), "u32"), e.has("any") ? "match_any" : "match_all", "(u32)x_, (u32)(x_ >> 32)", after);
}

// redux.sync.
std::string emit_redux(Emitter& e) {
  static const char* const operations[][2] = {{"add", "ADD"}, {"and", "AND"}, {"or", "OR"}, {"xor", "XOR"}, {"min", "MIN"}, {"max", "MAX"}};
  std::string op;
  for (const auto& [name, cpp] : operations) {
    if (e.has(name)) op = cpp;
  }
  if (op.empty() || is_floating(e.type())) e.unknown();
  return e.collective(e.read(e.arg(2), "u32"), text("reduce<$, REDUCE_$>", value_type(e.type()), op), e.read(e.arg(1), "u32"),
                      e.write(e.arg(0), "u32", "R[0]"));
}

// activemask: the executing lane alone, which PTX allows.
std::string emit_activemask(Emitter& e) { return e.write(e.arg(0), "u32", "(1u << t->lane)"); }

}  // namespace ptxcpu
