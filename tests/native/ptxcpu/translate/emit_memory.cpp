// PTX ISA, "Data Movement and Conversion Instructions": mov, ld, st, cvta, isspacep, cp.async and hints.
#include "ptx/text.h"
#include "ptx/types.h"
#include "runtime/abi.h"
#include "translate/instruction_table.h"

namespace ptxcpu {
namespace {

unsigned vector_width(const Emitter& e) { return e.has("v8") ? 8 : e.has("v4") ? 4 : e.has("v2") ? 2 : 1; }

/// A vector operand has as many elements as the instruction's width.
const std::vector<Operand>& elements(const Emitter& e, const Operand& operand, unsigned count) {
  if (operand.elements.size() != count) e.fail("the vector has another number of elements");
  return operand.elements;
}

constexpr const char* kCompilerFence = " asm volatile(\"\" ::: \"memory\");";

}  // namespace

// mov, also between a register and a vector of its parts.
std::string emit_mov(Emitter& e) {
  const std::string type = e.type(), value = value_type(type), word = bits_type(type);
  const Operand &to = e.arg(0), &from = e.arg(1);
  if (to.kind == Operand::Kind::vector && to.elements.size() > 1) {
    const unsigned width = size_of(type) * 8 / static_cast<unsigned>(to.elements.size());
    std::string out = text("u64 x_ = $; ", e.read(from, word));
    for (std::size_t i = 0; i < to.elements.size(); ++i) {
      out += e.write(to.elements[i], text("u$", width), text("(u$)(x_ >> $)", width, i * width)) + " ";
    }
    return out;
  }
  if (from.kind == Operand::Kind::vector && from.elements.size() > 1) {
    const unsigned width = size_of(type) * 8 / static_cast<unsigned>(from.elements.size());
    std::string all;
    for (std::size_t i = 0; i < from.elements.size(); ++i) {
      all += text("$($)$ << $", i ? " | " : "", word, e.read(from.elements[i], text("u$", width)), i * width);
    }
    return e.write(to, word, text("($)", all));
  }
  return e.write(to, value, e.read(from, value));
}

// ld, ldu. A thread that loads with .volatile, .relaxed or .acquire may be waiting for another one: it gives way now and then.
std::string emit_load(Emitter& e) {
  const std::string type = value_type(e.type());
  const unsigned size = size_of(e.type()), count = vector_width(e);
  std::string out;
  const std::string from = e.checked_pointer(e.arg(1), size * count, 0, out);
  const bool waits = e.has("volatile") || e.has("relaxed") || e.has("acquire");
  if (count == 1) {
    out += e.write(e.arg(0), type, text("load<$>($)", type, from));
  } else {
    // All are read before any is written: the address may be one of the destinations.
    std::string writes;
    for (unsigned i = 0; i < count; ++i) {
      out += text("$ w$_ = load<$>($ + $); ", type, i, type, from, i * size);
      writes += e.write(elements(e, e.arg(0), count)[i], type, text("w$_", i)) + " ";
    }
    out += writes;
  }
  return waits ? out + kCompilerFence + " spin(t);" : out;
}

// st.
std::string emit_store(Emitter& e) {
  const std::string type = value_type(e.type());
  const unsigned size = size_of(e.type()), count = vector_width(e);
  std::string out;
  const std::string to = e.checked_pointer(e.arg(0), size * count, ACCESS_STORE, out);
  if (count == 1) {
    out += text("store<$>($, $);", type, to, e.read(e.arg(1), type));
  } else {
    for (unsigned i = 0; i < count; ++i) {
      out += text("store<$>($ + $, $); ", type, to, i * size, e.read(elements(e, e.arg(1), count)[i], type));
    }
  }
  return e.has("volatile") || e.has("release") || e.has("relaxed") ? out + kCompilerFence : out;
}

// cvta: generic addresses are the host's; only shared memory has offsets of its own.
std::string emit_cvta(Emitter& e) {
  const std::string word = bits_type(e.type());
  if (e.space() != "shared") return e.write(e.arg(0), word, e.read(e.arg(1), word));
  return e.write(e.arg(0), word, text("($ $ (u64)b->shared)", e.read(e.arg(1), "u64"), e.has("to") ? "-" : "+"));
}

// isspacep.
std::string emit_isspacep(Emitter& e) {
  const std::string address = e.read(e.arg(1), "u64"), space = e.space();
  const std::string shared = text("($ - (u64)b->shared < b->shared_size)", address);
  const std::string local = text("($ >= t->stack_low && $ < t->stack_high)", address, address);
  if (space != "shared" && space != "local" && space != "global") e.unknown();
  return e.write(e.arg(0), "bool", space == "shared" ? shared : space == "local" ? local : text("(!$ && !$)", shared, local));
}

// cp.async with its commit and wait groups: 4, 8 or 16 bytes from global to shared memory.
std::string emit_async_copy(Emitter& e) {
  if (!e.has("async") || e.has("bulk") || e.has("mbarrier")) e.unknown();
  if (e.has("commit_group")) return "callbacks->async_commit(t);";
  if (e.has("wait_all")) return "callbacks->async_wait(t, 0);";
  if (e.has("wait_group")) return text("callbacks->async_wait(t, $);", e.read(e.arg(0), "u32"));
  if (e.has("L2::cache_hint")) e.unknown();
  const std::string size = e.read(e.arg(2), "u32");
  std::string read = size;
  if (e.arg_count() > 3) {
    const Symbol* last = e.arg(3).kind == Operand::Kind::name ? e.find(e.arg(3)) : nullptr;
    const bool ignores = last && last->type == "bool";
    read = ignores ? text("($ ? 0u : $)", e.read(e.arg(3), "bool"), size) : e.read(e.arg(3), "u32");
  }
  return text("u32 n_ = $; COUNT(global_load_bytes, n_); COUNT(async_copy_bytes, n_); ", read) +
         text("callbacks->async_copy(t, $, $, $, $, n_);", e.site(), e.address(e.arg(0), true), e.address(e.arg(1), false), size);
}

// prefetch, prefetchu, discard, applypriority, createpolicy: nothing that changes a result.
std::string emit_hint(Emitter& e) { return e.instruction().opcode == "createpolicy" ? e.write(e.arg(0), "u64", "0ull") : ";"; }

}  // namespace ptxcpu
